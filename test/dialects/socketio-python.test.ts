import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Command } from "../support/commands.ts";
import { until } from "../support/wait.ts";
import { Stage } from "./support/stage.ts";

/** Says each thing that happens as a line of JSON. */
const CLIENT = `
import json, sys, socketio

def say(*what):
    # In one piece: handlers run in threads.
    sys.stdout.write(json.dumps(what) + "\\n")
    sys.stdout.flush()

url, transport, room = sys.argv[1:]
client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.3)
client.on("disconnect", lambda: say("cut"))
`;

const SUBSCRIBES = `${CLIENT}
client.on("joined", lambda room: say("joined", room))
client.on("message", lambda data, meta: say("message", data, meta))
client.connect(url, transports=[transport])
say("transport", client.transport())
client.emit("subscribe", room)
for line in sys.stdin:
    say("published", client.call("publish", {"room": "stream:" + room, "event": "message", "data": line.strip()}))
client.disconnect()
`;

const RESUMES = `${CLIENT}
place = {}

@client.event
def connect():
    since = {"since": place} if place else {}
    client.emit("join", {"room": "stream:" + room, **since}, callback=lambda reply: say("in", reply.get("recovered")))

@client.event
def message(data, meta):
    place.update((part, meta[part]) for part in ("epoch", "offset", "id"))
    say("message", data)

client.connect(url, transports=[transport])
client.wait()
`;

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});
afterEach(() => stage.close());

/** What a program has said of a kind. */
function said(program: Command, kind: string): unknown[] {
  const all = program.lines.map((line) => JSON.parse(line) as [string, ...unknown[]]);
  return all.filter(([first]) => first === kind).map(([, ...what]) => what);
}

async function says(program: Command, kind: string, count = 1): Promise<unknown[]> {
  await until(() => said(program, kind).length >= count || program.process.exitCode !== null);
  if (said(program, kind).length < count) throw new Error(program.err);
  return said(program, kind);
}

describe("a Socket.IO client in Python", () => {
  it.each(["polling", "websocket"])(
    "F1: subscribes and is acknowledged, over one transport alone: %s",
    async (transport) => {
      const { url } = await stage.serve();
      const program = stage.python(SUBSCRIBES, url, transport, "a");
      expect(await says(program, "joined")).toEqual([["a"]]);
      expect(said(program, "transport")).toEqual([[transport]]);
      program.process.stdin!.end("hé 🐍\n");
      expect(await program.exit()).toEqual({ code: 0, signal: null });
      expect(said(program, "published")).toMatchObject([[{ ok: true, room: "stream:a", offset: 1 }]]);
      expect(program.err).toBe("");
    },
  );

  it("F2: has each message with its position as a second argument", async () => {
    const { url } = await stage.serve();
    const program = stage.python(SUBSCRIBES, url, "websocket", "a");
    await says(program, "joined");
    const cursors = [
      await stage.publish(url, "stream:a", "message", { text: "one" }, "m-1"),
      await stage.publish(url, "stream:a", "message", [2, null], "m-2"),
    ];
    const epoch = cursors[0]!.split(".")[0];
    expect(await says(program, "message", 2)).toMatchObject([
      [{ text: "one" }, { room: "stream:a", epoch, offset: 1, id: "m-1" }],
      [[2, null], { room: "stream:a", epoch, offset: 2, id: "m-2" }],
    ]);
  });

  it.each(["polling", "websocket"])(
    "F3: goes on after its last message when its hub was killed and came back: %s",
    async (transport) => {
      const redis = await stage.redis();
      const [near, far] = [
        await stage.serve("--redis-url", redis.url),
        await stage.serve("--redis-url", redis.url),
      ];
      const program = stage.python(RESUMES, near.url, transport, "a");
      expect(await says(program, "in")).toEqual([[null]]);
      await stage.publish(far.url, "stream:a", "message", 1);
      await says(program, "message");
      await near.end("SIGKILL");
      await says(program, "cut");
      for (const n of [2, 3]) await stage.publish(far.url, "stream:a", "message", n);
      await stage.serve("--redis-url", redis.url, "--port", new URL(near.url).port);
      expect(await says(program, "in", 2)).toEqual([[null], [true]]);
      await stage.publish(far.url, "stream:a", "message", 4);
      expect(await says(program, "message", 4)).toEqual([[1], [2], [3], [4]]);
    },
    60_000,
  );
});
