import { Emitter } from "@socket.io/redis-emitter";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { createClient } from "redis";
import type { DialectName } from "../../server/bridge/dialects.ts";
import { randomId } from "../../shared/message-id.ts";
import { readLog } from "../support/log-reader.ts";
import { Commands } from "../support/commands.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { PATIENT, RedisServer } from "../support/redis-server.ts";
import { RedisCluster } from "../support/redis-cluster.ts";
import { until } from "../support/wait.ts";

const ALL: readonly DialectName[] = ["socketio", "eventstream", "emitter"];
const HOLDER_KEY = "roomcast:bridge";

const nodes = new Nodes();
const commands = new Commands();
let redis: RedisServer;
let client: ReturnType<typeof createClient>;

beforeAll(async () => {
  redis = await RedisServer.start();
  client = createClient({ url: redis.url });
  client.on("error", () => {});
  await client.connect();
});

afterEach(async () => {
  await nodes.close();
  await commands.close();
});

afterAll(async () => {
  client.destroy();
  await redis.stop();
});

function startNode(bridge: readonly DialectName[] = ALL): Promise<RunningNode> {
  return nodes.start({ redisUrl: redis.url, bridge, limits: PATIENT });
}

/** What a room's log has, once it has so many messages. */
async function logOf(room: string, length: number): Promise<readonly (readonly [string, unknown])[]> {
  const log = await until(async () => {
    const messages = await readLog(redis.url, room);
    return messages.length >= length && messages;
  });
  return log.map(({ event, data }) => [event, data]);
}

function publish(channel: string, value: unknown): Promise<number> {
  return client.publish(channel, JSON.stringify(value));
}

/** Publishes as `@socket.io/redis-emitter` does, and waits until Redis has it. */
async function emit(send: (emitter: Emitter) => unknown): Promise<void> {
  const published: Promise<unknown>[] = [];
  send(
    new Emitter({
      publish: (channel: string, message: Buffer) => void published.push(client.publish(channel, message)),
    }),
  );
  await Promise.all(published);
}

describe("what old publishers publish into Redis", () => {
  test("is appended as in PUBLISH socketio_<room>, the room taken off the arguments", async () => {
    await startNode();
    const room = randomId();
    await publish(`socketio_${room}`, { name: "one", args: [room, { a: 1 }] });
    await publish(`socketio_${room}`, { name: "user message", args: [room, "ana", "hello"] });
    await publish(`socketio_${room}`, { name: "none", args: [room] });
    await publish(`socketio_chat:${room}`, { name: "message", args: [{ text: "hello" }] });
    expect(await logOf(`stream:${room}`, 3)).toEqual([
      ["one", { a: 1 }],
      ["user_message", ["ana", "hello"]],
      ["none", null],
    ]);
    expect(await logOf(`chat:${room}`, 1)).toEqual([["message", { text: "hello" }]]);
  });

  test("is appended as django-eventstream writes it, with data encoded or not", async () => {
    await startNode();
    const channel = randomId();
    const event = { channel, event_type: "message", pub_id: "7" };
    await publish("events_channel", { ...event, data: '{"text":"caf\\u00e9"}' });
    await publish("events_channel", { ...event, data: "plain text", pub_id: null });
    expect(await logOf(`stream:${channel}`, 2)).toEqual([
      ["message", { text: "café" }],
      ["message", "plain text"],
    ]);
  });

  test("is appended as @socket.io/redis-emitter sends it, to one room or several", async () => {
    await startNode();
    const room = randomId();
    await emit((emitter) => emitter.to(room).emit("one", { a: 1 }));
    await emit((emitter) => emitter.to([room, `chat:${room}`]).emit("two", 1, "b"));
    expect(await logOf(`stream:${room}`, 2)).toEqual([
      ["one", { a: 1 }],
      ["two", [1, "b"]],
    ]);
    expect(await logOf(`chat:${room}`, 1)).toEqual([["two", [1, "b"]]]);
  });

  test("reaches a member live, at its position", async () => {
    const { url } = await startNode();
    const room = randomId();
    const member = await nodes.client(url);
    await member.join(`stream:${room}`);
    await publish(`socketio_${room}`, { name: "note", args: [room, "live"] });
    await until(() => member.messages.length > 0);
    expect(member.messages).toMatchObject([
      { event: "note", data: "live", meta: { room: `stream:${room}`, offset: 1 } },
    ]);
  });

  test("is left alone where the bridge is off, or is not for that dialect", async () => {
    const { hub } = await startNode(["emitter"]);
    await nodes.start({ redisUrl: redis.url });
    const room = randomId();
    expect(await publish(`socketio_${room}`, { name: "one", args: [room] })).toBe(0);
    expect(await publish("events_channel", { channel: room, event_type: "one", data: "1" })).toBe(0);
    await hub.publish(`stream:${room}`, "last", null);
    expect(await logOf(`stream:${room}`, 1)).toEqual([["last", null]]);
  });

  test("keeps its order", async () => {
    await startNode();
    const room = randomId();
    const numbers = Array.from({ length: 300 }, (_, i) => i);
    await Promise.all(numbers.map((n) => publish(`socketio_${room}`, { name: "n", args: [room, n] })));
    expect(await logOf(`stream:${room}`, 300)).toEqual(numbers.map((n) => ["n", n]));
  });
});

describe("the hub's own messages", () => {
  test("do not come back over the bridge, nor do stock emits and those of other servers", async () => {
    const { hub, url } = await startNode();
    const room = `stream:${randomId()}`;
    const member = await nodes.client(url);
    await member.join(room);
    const heard: string[] = [];
    member.socket.onAny((event: string) => heard.push(event));
    await hub.publish(room, "one", 1);
    hub.to(room).emit("stock", 2);
    // As a server with the classic adapter does.
    const packet = { type: 2, nsp: "/", data: ["foreign", 3] };
    const { encode } = await import("notepack.io");
    await client.publish(
      `socket.io#/#${room}#`,
      encode(["x1y2z3", packet, { rooms: [room], except: [], flags: {} }]) as Buffer,
    );
    await emit((emitter) => emitter.to(room).emit("last", 4));
    expect(await logOf(room, 2)).toEqual([
      ["one", 1],
      ["last", 4],
    ]);
    await until(() => heard.length >= 3);
    expect(heard.toSorted()).toEqual(["last", "one", "stock"]);
  });
});

describe("what is no message", () => {
  test("is counted and told, and costs no other message", async () => {
    const hub = await commands.serve(["--redis-url", redis.url, "--bridge", ALL.join(",")]);
    const room = randomId();
    const deep = `${"[".repeat(5_000)}${"]".repeat(5_000)}`;
    for (const text of [
      "",
      "{",
      "[]",
      '{"name":1,"args":[]}',
      '{"name":"a","args":{}}',
      `{"name":"a","args":${deep}}`,
    ])
      await client.publish(`socketio_${room}`, text);
    await publish("socketio_no room!", { name: "a", args: [] });
    await publish(`socketio_${room}`, { name: "connect", args: [] });
    await publish(`socketio_${room}`, { name: "big", args: ["x".repeat(70_000)] });
    await publish("events_channel", { channel: room, type: "a", data: 1 });
    // Announces 4 GiB.
    await client.publish(`socket.io#/#${room}#`, Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]));
    // A list in a list, and so on.
    await client.publish(
      `socket.io#/#${room}#`,
      Buffer.concat([Buffer.alloc(100_000, 0x91), Buffer.from([0xc0])]),
    );
    await emit((emitter) => emitter.emit("everyone"));
    await emit((emitter) => emitter.to(room).except("b").emit("most"));
    await emit((emitter) => emitter.to(room).emit("bytes", Buffer.from("x")));
    await publish(`socketio_${room}`, { name: "good", args: [] });
    expect(await logOf(`stream:${room}`, 1)).toEqual([["good", null]]);
    await hub.prints(
      /the bridge could not append \d+ messages \(15 so far\), the last on [^"]*: bad_request: /,
      "err",
    );
    expect(await hub.end("SIGTERM")).toEqual({ code: 0, signal: null });
  });
});

describe("a bridge on several nodes", () => {
  test("appends each message once", async () => {
    await Promise.all([startNode(), startNode(), startNode()]);
    const room = randomId();
    for (let n = 0; n < 50; n += 1) await publish(`socketio_${room}`, { name: "n", args: [room, n] });
    await publish(`socketio_${room}`, { name: "last", args: [room] });
    const log = await logOf(`stream:${room}`, 51);
    expect(log.map(([, data]) => data)).toEqual([...Array.from({ length: 50 }, (_, n) => n), null]);
  });

  test("goes on at another node when the one that took messages stops", async () => {
    const first = await startNode();
    const holder = await client.get(HOLDER_KEY);
    await startNode();
    expect(await client.get(HOLDER_KEY)).toBe(holder);
    const room = randomId();
    await publish(`socketio_${room}`, { name: "one", args: [room] });
    await first.hub.close();
    expect(await client.get(HOLDER_KEY)).not.toBe(holder);
    expect(await logOf(`stream:${room}`, 1)).toEqual([["one", null]]);
    await until(async () => ![null, holder].includes(await client.get(HOLDER_KEY)));
    await publish(`socketio_${room}`, { name: "two", args: [room] });
    expect(await logOf(`stream:${room}`, 2)).toEqual([
      ["one", null],
      ["two", null],
    ]);
  });

  test("goes on at another node within 6 s of the death of the one that took messages", async () => {
    const first = await commands.serve(["--redis-url", redis.url, "--bridge", "socketio"]);
    const holder = await client.get(HOLDER_KEY);
    await startNode();
    await first.end("SIGKILL");
    const room = randomId();
    let sent = 0;
    await until(
      async () => {
        await publish(`socketio_${room}`, { name: "n", args: [room, (sent += 1)] });
        return (await readLog(redis.url, `stream:${room}`)).length > 0;
      },
      6_000,
      100,
    );
    expect(await client.get(HOLDER_KEY)).not.toBe(holder);
    const arrived = (await readLog(redis.url, `stream:${room}`)).map(({ data }) => data as number);
    expect(arrived).toEqual([...new Set(arrived)]);
  });

  test("goes on when Redis comes back, and appends each message once", async () => {
    await Promise.all([startNode(), startNode()]);
    await redis.kill();
    await redis.start();
    const room = randomId();
    let sent = 0;
    await until(async () => {
      await publish(`socketio_${room}`, { name: "n", args: [room, (sent += 1)] });
      return (await readLog(redis.url, `stream:${room}`)).length > 2;
    });
    const arrived = (await readLog(redis.url, `stream:${room}`)).map(({ data }) => data as number);
    expect(arrived).toEqual([...new Set(arrived)]);
  });
});

describe("a bridge in a Redis Cluster", () => {
  test("hears what is published to any master, once", async () => {
    const cluster = await RedisCluster.start();
    try {
      const { url } = await nodes.start({ redisUrl: cluster.url, bridge: ["socketio"], limits: PATIENT });
      const heard: unknown[] = [];
      const { socket } = await nodes.client(url, { query: { room: "stream:c" } });
      socket.on("n", (data: unknown) => heard.push(data));
      for (const [i, master] of cluster.masters.entries()) {
        await master.command("PUBLISH", "socketio_c", JSON.stringify({ name: "n", args: ["c", i] }));
        await until(() => heard.length > i);
      }
      expect(heard).toEqual([0, 1, 2]);
    } finally {
      await nodes.close();
      await cluster.stop();
    }
  });
});

test("a bridge without Redis is refused", async () => {
  await expect(nodes.start({ bridge: ["socketio"] })).rejects.toThrow(
    /bridge: .* needs redisUrl \(REDIS_URL\)/,
  );
});
