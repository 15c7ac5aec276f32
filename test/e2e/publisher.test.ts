import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createPublisher, HubError, type Publisher } from "../../server/publisher/index.ts";
import { RedisLog } from "../../server/stores/redis/redis-log.ts";
import { randomId } from "../../shared/message-id.ts";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { readLog } from "../support/log-reader.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
let redis: RedisServer;
let node: RunningNode;

beforeAll(async () => {
  redis = await RedisServer.start();
  node = await nodes.start({ redisUrl: redis.url });
});

afterAll(async () => {
  redis.wake();
  await nodes.close();
  await redis.stop();
});

async function errorOf(promise: Promise<unknown>): Promise<HubError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HubError);
  return error as HubError;
}

describe.each(["Redis", "HTTP"])("a publisher over %s", (way) => {
  let room: string;
  let proxy: FaultProxy;
  let publisher: Publisher;

  beforeEach(async () => {
    room = `chat:${randomId()}`;
    proxy = await FaultProxy.start(way === "Redis" ? redis.port : Number(new URL(node.url).port));
    const address = `127.0.0.1:${proxy.port}`;
    publisher = createPublisher(
      way === "Redis" ? { redisUrl: `redis://${address}` } : { url: `http://${address}/` },
    );
  });

  afterEach(async () => {
    await publisher.close();
    await proxy.close();
  });

  test("gives each message its position, and members get it there", async () => {
    const member = await nodes.client(node.url);
    await member.join(room);
    const data = { text: "ünï\u2028\ud800", list: [null, 0.1, { __proto__x: "" }] };
    const replies = await Promise.all([1, 2, 3].map((i) => publisher.emit(room, "message", { ...data, i })));
    const { epoch } = replies[0]!;
    expect(replies).toEqual(
      replies.map(({ id }, i) => {
        const offset = i + 1;
        return { room, id, epoch, offset, cursor: `${epoch}.${offset}.${id}`, duplicate: false };
      }),
    );
    await until(() => member.messages.length === 3);
    expect(member.messages).toEqual(
      replies.map(({ id, offset }) => {
        const time: unknown = expect.any(Number);
        return { event: "message", data: { ...data, i: offset }, meta: { room, id, epoch, offset, time } };
      }),
    );
    expect((await readLog(redis.url, room)).map(({ id }) => id)).toEqual(replies.map(({ id }) => id));
  });

  test("gives the same id its first position, and refuses it to other content", async () => {
    const first = await publisher.emit(room, "message", { text: "a" }, { id: "key" });
    expect(await publisher.emit(room, "message", { text: "a" }, { id: "key" })).toEqual({
      ...first,
      duplicate: true,
    });
    const error = await errorOf(publisher.emit(room, "message", { text: "b" }, { id: "key" }));
    expect(error).toMatchObject({ code: "id_reused", retryable: false });
    expect(await readLog(redis.url, room)).toHaveLength(1);
  });

  test("delivers an ephemeral message live and keeps nothing", async () => {
    const member = await nodes.client(node.url);
    await member.join(room);
    const reply = await publisher.emit(room, "typing", { on: true }, { ephemeral: true });
    expect(reply).toEqual({ room, id: reply.id, ephemeral: true });
    await until(() => member.messages.length === 1);
    expect(member.messages[0]).toMatchObject({
      event: "typing",
      data: { on: true },
      meta: { room, id: reply.id, ephemeral: true },
    });
    expect(await readLog(redis.url, room)).toEqual([]);
  });

  test("gives a batch its results in their places, each room in its order", async () => {
    const other = `stream:${randomId()}`;
    const results = await publisher.batch([
      { room, event: "n", data: 1, id: "one" },
      { room: other, event: "n", data: 2 },
      { room, event: "n", data: 3, id: "one" },
      { room, event: "typing", data: null, ephemeral: true },
      { room: "nowhere", event: "n", data: 4 },
      { room, event: "n", data: 5 },
    ]);
    expect(results).toMatchObject([
      { room, offset: 1, id: "one" },
      { room: other, offset: 1 },
      { error: { code: "id_reused" } },
      { room, ephemeral: true },
      { error: { code: "bad_room" } },
      { room, offset: 2 },
    ]);
  });

  test("takes a batch of any size", async () => {
    const results = await publisher.batch(
      Array.from({ length: 1_000 }, (_, i) => ({ room, event: "n", data: i, id: `m${i}` })),
    );
    expect(results.map((result) => "offset" in result && result.offset)).toEqual(
      results.map((_, i) => i + 1),
    );
    expect((await readLog(redis.url, room)).map(({ data }) => data)).toEqual(results.map((_, i) => i));
  });

  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
  test.each<[string, string, string, unknown, object]>([
    ["bad_room", "lobby", "n", 1, {}],
    ["bad_room", "chat:a b", "n", 1, {}],
    ["bad_room", `chat:${"x".repeat(201)}`, "n", 1, {}],
    ["bad_event", "chat:a", "9n", 1, {}],
    ["bad_event", "chat:a", "connect", 1, {}],
    ["bad_event", "chat:a", "hub:error", 1, {}],
    ["bad_request", "chat:a", "n", undefined, {}],
    ["bad_request", "chat:a", "n", Number.NaN, {}],
    ["bad_request", "chat:a", "n", deep(33), {}],
    ["bad_request", "chat:a", "n", 1, { id: "a b" }],
    ["bad_request", "chat:a", "n", 1, { timeoutMs: 0 }],
    ["too_large", "chat:a", "n", "x".repeat(65_535), {}],
  ])(
    "refuses with %s what cannot be published, without a round trip (%#)",
    async (code, name, event, data, options) => {
      const error = await errorOf(publisher.emit(name, event, data, options));
      expect(error).toMatchObject({ code, retryable: false });
      expect(proxy.accepted).toBe(0);
    },
  );

  test("takes data of exactly 64 KiB", async () => {
    expect(await publisher.emit(room, "n", "x".repeat(65_534))).toMatchObject({ offset: 1 });
  });

  test("makes one message of one whose answers get lost", async () => {
    await publisher.emit(room, "n", 0);
    await proxy.set("lose");
    const emitted = Promise.all([1, 2, 3].map((i) => publisher.emit(room, "n", i, { timeoutMs: 20_000 })));
    await until(() => proxy.lost >= 2);
    await proxy.set("pass");
    const replies = await emitted;
    expect(replies.map(({ offset }) => offset)).toEqual([2, 3, 4]);
    const log = await readLog(redis.url, room);
    expect(log.map(({ data }) => data)).toEqual([0, 1, 2, 3]);
    expect(log.slice(1).map(({ id }) => id)).toEqual(replies.map(({ id }) => id));
  });

  test.each(["refuse", "reset", "hang"] as const)("gets through %s that ends in time", async (mode) => {
    await proxy.set(mode);
    const emitted = publisher.emit(room, "n", 1, { timeoutMs: 20_000 });
    if (mode === "refuse") await expect(publisher.emit(room, "n", 0, { timeoutMs: 100 })).rejects.toThrow();
    else await until(() => proxy.accepted >= (mode === "reset" ? 3 : 1));
    await proxy.set("pass");
    proxy.resetAll();
    expect(await emitted).toMatchObject({ offset: 1, duplicate: false });
  });

  test("rejects in time, with `unavailable` and the address, when nobody is there", async () => {
    await proxy.set("refuse");
    const begin = performance.now();
    const error = await errorOf(publisher.emit(room, "n", 1, { timeoutMs: 400 }));
    expect(performance.now() - begin).toBeLessThan(700);
    expect(error).toMatchObject({ code: "unavailable", retryable: true });
    expect(error.message).toMatch(new RegExp(`127\\.0\\.0\\.1:${proxy.port}.*ECONNREFUSED`));
  });

  test("rejects in time while Redis hangs, and the retry with the same id is one message", async () => {
    await publisher.emit(room, "n", "before");
    const id = randomId();
    redis.hang();
    try {
      const begin = performance.now();
      const error = await errorOf(publisher.emit(room, "n", "during", { id, timeoutMs: 1_000 }));
      const ms = performance.now() - begin;
      expect(error.code).toBe("unavailable");
      expect(error.message).toContain(id);
      expect(ms).toBeGreaterThanOrEqual(990);
      expect(ms).toBeLessThan(1_300);
    } finally {
      redis.wake();
    }
    const reply = await publisher.emit(room, "n", "during", { id, timeoutMs: 20_000 });
    expect(reply).toMatchObject({ id, offset: 2 });
    expect((await readLog(redis.url, room)).map(({ data }) => data)).toEqual(["before", "during"]);
  });

  test("gives up when the signal aborts, and goes on with the rest", async () => {
    await proxy.set("hang");
    const controller = new AbortController();
    const given = publisher.emit(room, "n", "given up", { signal: controller.signal });
    const kept = publisher.emit(room, "n", "kept", { timeoutMs: 20_000 });
    await until(() => proxy.accepted === 1);
    controller.abort();
    await expect(given).rejects.toMatchObject({ name: "AbortError" });
    proxy.resetAll();
    await proxy.set("pass");
    await kept;
    expect((await readLog(redis.url, room)).map(({ data }) => data)).toContain("kept");
  });

  test("has handed over everything when it is closed, and takes nothing more", async () => {
    const emitted = Array.from({ length: 250 }, (_, i) => publisher.emit(room, "n", i));
    await publisher.close();
    const offsets = await Promise.all(emitted.map(async (reply) => (await reply).offset));
    expect(offsets).toEqual(emitted.map((_, i) => i + 1));
    expect(await errorOf(publisher.emit(room, "n", 1))).toMatchObject({
      code: "bad_request",
      retryable: false,
    });
  });
});

describe("a publisher straight to Redis", () => {
  test("keeps as much of a room as the nodes say", async () => {
    const other = await RedisServer.start();
    const log = new RedisLog({ url: other.url });
    await log.connect();
    const publisher = createPublisher({ redisUrl: other.url });
    const publish = (room: string): Promise<unknown> =>
      publisher.batch([1, 2, 3, 4].map((data) => ({ room, event: "n", data })));
    try {
      await publish("stream:before");
      expect(await readLog(other.url, "stream:before")).toHaveLength(4);
      await log.writeRoomOptions({ "stream:*": { messages: 2, ageMs: 60_000 } });
      // They are read again after each reconnect, and else every half a minute.
      await other.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await publish("stream:after");
      expect((await readLog(other.url, "stream:after")).map(({ offset }) => offset)).toEqual([3, 4]);
    } finally {
      await publisher.close();
      await log.close();
      await other.stop();
    }
  });

  test("names the reason when the password is wrong, but not the password", async () => {
    const other = await RedisServer.start("--requirepass", "right");
    const publisher = createPublisher({ redisUrl: `redis://:wrong@127.0.0.1:${other.port}`, timeoutMs: 500 });
    const error = await errorOf(publisher.emit("chat:a", "n", 1));
    expect(error.code).toBe("unavailable");
    expect(error.message).toMatch(/refuses the password/);
    expect(error.message).not.toContain("wrong@");
    await publisher.close();
    await other.stop();
  });
});

describe("the default publisher's settings", () => {
  test.each(["REDIS_URL", "ROOMCAST_URL"])("are refused by the name of the variable %s", async (name) => {
    const before = process.env[name];
    process.env[name] = "ftp://somewhere";
    try {
      expect(() => createPublisher()).toThrow(new RegExp(`^${name} .*looks like`));
    } finally {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    }
  });
});
