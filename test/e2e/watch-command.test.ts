import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createPublisher, type Publisher } from "../../server/publisher/index.ts";
import type { Published } from "../../shared/protocol.ts";
import { Commands, type Command, type ServeCommand } from "../support/commands.ts";
import { Nodes } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { packageRoot } from "../support/run-node.ts";
import { until } from "../support/wait.ts";

let commands: Commands;
let nodes: Nodes;
let publishers: Publisher[];

beforeEach(() => {
  commands = new Commands();
  nodes = new Nodes();
  publishers = [];
});

afterEach(async () => {
  await Promise.all(publishers.map((publisher) => publisher.close()));
  await nodes.close();
  await commands.close();
});

/** Gives a function that publishes into a room, of a hub or straight into Redis. */
function publisherTo(target: { url: string } | { redisUrl: string }, room: string, event: string) {
  const publisher = createPublisher({ ...target, timeoutMs: 20_000 });
  publishers.push(publisher);
  return (data: unknown): Promise<Published> => publisher.emit(room, event, data, {});
}

/** Starts `roomcast watch`; resolves when it watches. */
async function watch(hub: { readonly url: string }, ...args: readonly string[]): Promise<Command> {
  const command = commands.start(["watch", ...args, "--url", hub.url]);
  await command.prints(/^roomcast: watching /m, "err");
  return command;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;

describe("roomcast watch", () => {
  let hub: ServeCommand;

  beforeEach(async () => {
    hub = await commands.serve();
  });

  test("prints log entries with their time, level and program", async () => {
    const publish = publisherTo(hub, "stream:build-42", "log");
    // A bare name means a stream.
    const watching = await watch(hub, "build-42");
    expect(watching.err).toBe(`roomcast: watching stream:build-42 on ${hub.url}\n`);
    const timestamp = "2025-01-31T12:00:00+01:00";
    await publish({ message: "compiled", level: "INFO", program: "make", timestamp });
    await publish({ message: "done" });
    await until(() => watching.lines.length === 2);
    expect(watching.lines[0]).toBe(`${timestamp}  INFO      make  compiled`);
    expect(watching.lines[1]!.replace(TIME, "")).toBe("  INFO      done");
    expect(watching.lines[1]).toMatch(TIME);
  });

  test("prints chat messages with their time and who wrote them, and all else as JSON", async () => {
    const watching = await watch(hub, "chat:lobby", "--username", "watcher");
    const ana = await nodes.client(hub.url, { auth: { username: "ana" } });
    await ana.ask("publish", { room: "chat:lobby", event: "message", data: { text: "hello" } });
    await ana.ask("publish", { room: "chat:lobby", event: "typing", data: [1, "two"], ephemeral: true });
    await publisherTo(hub, "chat:lobby", "message")({ text: "from a program" });
    await until(() => watching.lines.length === 3);
    expect(watching.lines.map((line) => line.replace(TIME, ""))).toEqual([
      "  ana:  hello",
      '  typing  [1,"two"]',
      "  -:  from a program",
    ]);
  });

  test("prints with --json all that the hub tells, one object a line", async () => {
    const watching = await watch(hub, "chat:lobby", "--json");
    const { id, epoch } = await publisherTo(hub, "chat:lobby", "message")({ text: "a\nb" });
    await until(() => watching.lines.length === 1);
    const time: unknown = expect.any(Number);
    expect(JSON.parse(watching.out)).toEqual({
      room: "chat:lobby",
      event: "message",
      data: { text: "a\nb" },
      id,
      epoch,
      offset: 1,
      time,
    });
  });

  test("begins where --rewind and --since say", async () => {
    const publish = publisherTo(hub, "chat:lobby", "n");
    const cursors: string[] = [];
    for (let n = 1; n <= 5; n += 1) cursors.push((await publish(n)).cursor);
    const starts: readonly [readonly string[], readonly number[]][] = [
      [[], [6]],
      [
        ["--rewind", "2"],
        [4, 5, 6],
      ],
      [
        ["--rewind", "5m"],
        [1, 2, 3, 4, 5, 6],
      ],
      [
        ["--since", cursors[2]!],
        [4, 5, 6],
      ],
      [["--since", cursors[4]!], [6]],
    ];
    const watching = await Promise.all(starts.map(([args]) => watch(hub, "chat:lobby", "--json", ...args)));
    await publish(6);
    for (const [index, [, expected]] of starts.entries()) {
      const { lines } = await until(
        () => watching[index]!.lines.length >= expected.length && watching[index]!,
      );
      expect(lines.map((line) => (JSON.parse(line) as { data: number }).data)).toEqual(expected);
      expect(watching[index]!.err).toBe(`roomcast: watching chat:lobby on ${hub.url}\n`);
    }
  });

  test("says what a --since from another log can't have", async () => {
    await publisherTo(hub, "chat:lobby", "n")(1);
    const watching = await watch(hub, "chat:lobby", "--since", "other.7.x");
    expect(watching.err).toMatch(/^roomcast: the log that was here before is gone \(epoch_changed\)$/m);
    await until(() => watching.lines.length === 1);
  });

  test.each([
    ["a wrong --rewind", ["--rewind", "soon"], /^roomcast: bad_request: .*"5m"\n$/],
    ["a wrong --since", ["--since", "7"], /^roomcast: bad_request: a position is .*\n$/],
    ["a wrong --username", ["--username", "a\u001b[2J"], /^roomcast: no connection .*: username .*\n$/],
    [
      "an address without http",
      ["--url", "127.0.0.1:3000"],
      /^roomcast: "127\.0\.0\.1:3000" is no address .*\n$/,
    ],
    ["an address with a path", ["--url", "http://127.0.0.1:3000/chat"], /^roomcast: .* without a path\n$/],
  ])("ends with 1 and one line for %s", async (_what, args, line) => {
    const { out, err, code } = await commands.run(["watch", "chat:lobby", "--url", hub.url, ...args]);
    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err).toMatch(line);
  });

  test("ends with 0 on SIGINT and SIGTERM, and leaves the hub's room", async () => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const watching = await watch(hub, "chat:lobby");
      expect(await watching.end(signal)).toEqual({ code: 0, signal: null });
      expect(watching.err.trimEnd().split("\n")).toHaveLength(1);
    }
  });

  test("ends when its reader closes the pipe, as head does", async () => {
    const publish = publisherTo(hub, "chat:lobby", "n");
    await publish("first");
    const script = '"$@" | head -1';
    const main = join(packageRoot, "dist/server/cli/main.js");
    const piped = commands.start(["watch", "chat:lobby", "--rewind", "1", "--url", hub.url], {
      program: ["sh", "-c", script, "sh", process.execPath, main],
      group: true,
    });
    await piped.prints(/first/);
    const ended = piped.exit().then(() => true);
    // It notices at its next line.
    for (let over = false; !over; over = await Promise.race([ended, publish("next").then(() => false)]));
    expect(piped.lines).toHaveLength(1);
    expect(piped.err).toBe(`roomcast: watching chat:lobby on ${hub.url}\n`);
  });

  test("shows what a terminal would obey, and lets colours through", async () => {
    const publish = publisherTo(hub, "stream:hostile", "log");
    const [lines, json] = [await watch(hub, "stream:hostile"), await watch(hub, "stream:hostile", "--json")];
    const hostile =
      "\u001b]0;title\u0007 \u001b[2J \u009b2J \u001b[31mred \r\n over \u202e turned \u2028 \u007f\t.";
    await publish({ message: hostile, level: hostile, program: hostile, timestamp: hostile });
    await publish({ message: 1, [hostile]: hostile });
    await until(() => lines.lines.length === 2 && json.lines.length === 2);
    const shown =
      "\\u001b]0;title\\u0007 \\u001b[2J \\u009b2J \u001b[31mred \\u000d\\u000a over \\u202e turned \\u2028 \\u007f\t.\u001b[0m";
    expect(lines.lines[0]).toBe([shown, shown, shown, shown].join("  "));
    expect(lines.lines[1]).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e]/);
    expect(json.out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e]/);
    const { data } = JSON.parse(json.lines[1]!) as { data: unknown };
    expect(data).toEqual({ message: 1, [hostile]: hostile });
  });
});

describe("roomcast watch, when its hub is killed and started again", () => {
  async function restart(hub: ServeCommand, args: readonly string[] = []): Promise<ServeCommand> {
    await hub.end("SIGKILL");
    return commands.serve(["--port", new URL(hub.url).port, ...args]);
  }

  test("says that the log in memory is another one, and goes on", async () => {
    const hub = await commands.serve();
    const watching = await watch(hub, "chat:lobby");
    await publisherTo(hub, "chat:lobby", "n")("before");
    await until(() => watching.lines.length === 1);
    await restart(hub);
    await watching.prints(
      /^roomcast: the connection was lost .* after \w+\.1\.\S+ as soon as it is back$/m,
      "err",
    );
    const publish = publisherTo(hub, "chat:lobby", "n");
    await publish("while away");
    await watching.prints(/^roomcast: the log that was here before is gone \(epoch_changed\)$/m, "err");
    await watching.prints(/^roomcast: back, with 1 messages/m, "err");
    await publish("after");
    await until(() => watching.lines.length >= 3);
    expect(watching.lines.map((line) => line.replace(TIME, ""))).toEqual([
      '  n  "before"',
      '  n  "while away"',
      '  n  "after"',
    ]);
  });

  test("waits for a hub that is not there yet, and says so once", async () => {
    const hub = await commands.serve();
    await hub.end("SIGTERM");
    const watching = commands.start(["watch", "chat:lobby", "--url", hub.url]);
    await watching.prints(/^roomcast: no connection to \S+: connect ECONNREFUSED .*, trying again$/m, "err");
    await restart(hub);
    await watching.prints(/^roomcast: watching chat:lobby/m, "err");
    expect(watching.err.trimEnd().split("\n")).toHaveLength(2);
    expect(await watching.end("SIGINT")).toEqual({ code: 0, signal: null });
  });

  test("ends with 0 on SIGINT while the hub is away", async () => {
    const hub = await commands.serve();
    const watching = await watch(hub, "chat:lobby");
    await hub.end("SIGKILL");
    await watching.prints(/^roomcast: no connection/m, "err");
    expect(await watching.end("SIGINT")).toEqual({ code: 0, signal: null });
  });

  test("goes on with a log in Redis, with nothing lost or doubled", async () => {
    const redis = await RedisServer.start();
    try {
      const args = ["--redis-url", redis.url];
      let hub = await commands.serve(args);
      const watching = await watch(hub, "chat:lobby", "--json");
      const publish = publisherTo({ redisUrl: redis.url }, "chat:lobby", "n");
      let published = 0;
      const wave = (): Promise<unknown> =>
        Promise.all(Array.from({ length: 100 }, () => publish((published += 1))));
      for (let kills = 1; kills <= 3; kills += 1) {
        const before = wave();
        // In the middle of what comes.
        await until(() => watching.lines.length > published - 100);
        await hub.end("SIGKILL");
        await Promise.all([before, wave()]);
        hub = await restart(hub, args);
        const during = wave();
        await until(() => watching.err.match(/^roomcast: back, with/gm)?.length === kills, 20_000);
        await during;
      }
      await until(() => watching.lines.length >= published, 20_000);
      const messages = watching.lines.map((line) => JSON.parse(line) as { data: number; offset: number });
      const all = Array.from({ length: published }, (_, i) => i + 1);
      expect(messages.map(({ data }) => data)).toEqual(all);
      expect(messages.map(({ offset }) => offset)).toEqual(all);
      expect(watching.err).not.toContain("gone");
    } finally {
      await commands.close();
      await redis.stop();
    }
  }, 90_000);
});
