import { afterEach, describe, expect, test } from "@jest/globals";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { until } from "../support/wait.ts";
import { appendAll, draft, freshRoom, KEEP, offsetsOf, placed, range } from "./broker-nodes.ts";
import { RedisBench, timed } from "./redis-nodes.ts";

const bench = new RedisBench();
afterEach(() => bench.end());

const away = { code: "unavailable", retryable: true };

describe("a Redis that hangs", () => {
  test("makes appends unavailable within 2 s, at once from then on, and works again when it wakes", async () => {
    const redis = await bench.redis();
    const { broker, ear } = await bench.node(redis);
    const other = await bench.node(redis);
    const room = freshRoom();
    await broker.subscribe(room);
    await appendAll(broker, room, [1]);
    redis.hang();
    const message = draft(room, 2, { id: "key", keyed: true });
    // The second one waits in its lane behind the first.
    const first = timed(broker.append(room, [message], KEEP));
    await Promise.resolve();
    const second = timed(broker.append(room, [draft(room, "never sent")], KEEP));
    for (const { ms, error } of await Promise.all([first, second])) {
      expect(error).toMatchObject(away);
      expect(ms).toBeLessThan(2_000);
    }
    for (const request of [
      broker.append(room, [message], KEEP),
      broker.read(room, { after: 0, limit: 1 }),
      broker.check(range(1, 50).map((offset) => ({ room, offset }))),
      broker.broadcast(room, draft(room, 1)),
      broker.ping(),
    ]) {
      const { ms, error } = await timed(request);
      expect(error).toMatchObject(away);
      expect(ms).toBeLessThan(200);
    }
    redis.wake();
    // It may have executed what was unavailable: that is unknown until the same id is sent again.
    const [again] = await until(() => broker.append(room, [message], KEEP));
    expect(placed(again).position).toMatchObject({ offset: 2, id: "key" });
    await appendAll(other.broker, room, [3]);
    await until(() => ear.of(room).length === 3);
    expect(offsetsOf(ear.of(room))).toEqual([1, 2, 3]);
  });

  test("keeps no request waiting longer than 2 s behind a slow one", async () => {
    const redis = await bench.redis();
    // Slow enough to fail, but by less than the connection takes to notice.
    const { broker } = await bench.node(redis, { limits: { ...DEFAULT_LIMITS, batchMessages: 1 } });
    const room = freshRoom();
    await appendAll(broker, room, [1]);
    redis.hang();
    setTimeout(() => redis.wake(), 1_400);
    const started = performance.now();
    const calls = range(1, 5).map(() => timed(broker.append(room, [draft(room, 1)], KEEP)));
    await Promise.all(calls);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test("makes start unavailable within 2 s", async () => {
    const redis = await bench.redis();
    redis.hang();
    const { ms, error } = await timed(bench.node(redis));
    expect(error).toMatchObject({ ...away, message: expect.stringContaining("did not answer") });
    expect(ms).toBeLessThan(2_000);
  });
});

describe("a Redis that is killed and started again", () => {
  test("interrupts, and delivery goes on without another subscribe", async () => {
    const redis = await bench.redis();
    const [a, b] = [await bench.node(redis), await bench.node(redis)];
    const room = freshRoom();
    await Promise.all([a.broker.subscribe(room), b.broker.subscribe(room)]);
    const [before] = await appendAll(a.broker, room, [1]);
    await until(() => b.ear.of(room).length === 1);
    await redis.kill();
    for (const request of [a.broker.append(room, [draft(room, 2)], KEEP), b.broker.subscribe(freshRoom())]) {
      const { ms, error } = await timed(request);
      expect(error).toMatchObject(away);
      expect(ms).toBeLessThan(2_000);
    }
    expect([a.ear.interruptions, b.ear.interruptions]).toEqual([0, 0]);
    await redis.start();
    await until(() => a.ear.interruptions === 1 && b.ear.interruptions === 1);
    const [after] = await until(() => appendAll(a.broker, room, [3]));
    expect(after!.position.epoch).not.toBe(before!.position.epoch);
    expect(after!.position.offset).toBe(1);
    await until(() => a.ear.of(room).length === 2 && b.ear.of(room).length === 2);
  });

  test("goes on with epoch, offset and ids if it saves", async () => {
    const redis = await bench.redis("--appendonly", "yes", "--appendfsync", "always");
    const { broker } = await bench.node(redis);
    const room = freshRoom();
    const message = draft(room, 1, { id: "key", keyed: true });
    const first = placed((await broker.append(room, [message], KEEP))[0]);
    await redis.kill();
    await redis.start();
    const [again] = await until(() => broker.append(room, [message], KEEP));
    expect(again).toEqual({ ...first, duplicate: true });
    const [next] = await appendAll(broker, room, [2]);
    expect(next!.position).toMatchObject({ epoch: first.position.epoch, offset: 2 });
  });

  test("lets nothing that was given up happen afterwards", async () => {
    const redis = await bench.redis();
    const { broker } = await bench.node(redis);
    const room = freshRoom();
    await redis.kill();
    const calls = range(1, 200).map((i) => timed(broker.append(room, [draft(room, i)], KEEP)));
    for (const { error } of await Promise.all(calls)) expect(error).toMatchObject(away);
    await redis.start();
    await until(() => broker.ping().then(() => true));
    expect((await broker.check([{ room, offset: 0 }]))[0]!.head.offset).toBe(0);
  });
});

describe("a Redis that forgets", () => {
  test("everything, gives rooms another epoch and lists them again", async () => {
    const redis = await bench.redis();
    const { broker, ear } = await bench.node(redis);
    const room = freshRoom();
    await broker.subscribe(room);
    const [before] = await appendAll(broker, room, [1, 2]);
    await redis.command("FLUSHALL");
    const [after] = await appendAll(broker, room, [3]);
    expect(after!.position).toMatchObject({ offset: 1 });
    expect(after!.position.epoch).not.toBe(before!.position.epoch);
    const { messages } = await broker.read(room, { after: 0, limit: 10 });
    expect(messages).toEqual([
      await until(() => ear.of(room).find(({ epoch }) => epoch === after!.position.epoch)),
    ]);
    await until(async () => (await broker.rooms({ prefix: "", limit: 9 })).rooms.length === 1);
  });

  test.each([
    ["append", (node: Ends, room: Room) => node.append(room, [draft(room, "new")], KEEP)],
    ["read", (node: Ends, room: Room) => node.read(room, { after: 0, limit: 9 })],
  ])("a room's identity alone, begins a log that has nothing of the old one, by %s", async (_name, touch) => {
    const redis = await bench.redis();
    const { broker } = await bench.node(redis);
    const room = freshRoom();
    const message = draft(room, 1, { id: "key", keyed: true });
    await broker.append(room, [message, draft(room, 2)], KEEP);
    await redis.command("DEL", `roomcast:meta:{${room}}`);
    await touch(broker, room);
    const [again] = await broker.append(room, [message], KEEP);
    expect(placed(again)).toMatchObject({ duplicate: false });
    const { messages, head } = await broker.read(room, { after: 0, limit: 10 });
    expect(messages.map(({ offset }) => offset)).toEqual(range(1, head.offset));
    expect(messages.at(-1)).toMatchObject({ id: "key", epoch: head.epoch });
  });

  test("its scripts over and over, keeps the order of 2,000 appends", async () => {
    const redis = await bench.redis();
    const { broker, ear } = await bench.node(redis);
    const room = freshRoom();
    await broker.subscribe(room);
    let flushes = 0;
    const flushing = setInterval(
      () =>
        void redis.command("SCRIPT", "FLUSH").then(
          () => (flushes += 1),
          () => {},
        ),
      10,
    );
    const calls: Promise<unknown>[] = [];
    for (const i of range(1, 2_000)) {
      calls.push(broker.append(room, [draft(room, i)], KEEP));
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(calls);
    clearInterval(flushing);
    expect(flushes).toBeGreaterThan(5);
    await until(() => ear.of(room).length === 2_000);
    expect(offsetsOf(ear.of(room))).toEqual(range(1, 2_000));
    expect(ear.of(room).map(({ packet }) => (JSON.parse(packet) as unknown[])[1])).toEqual(range(1, 2_000));
  });

  test("a room, loses it from the list", async () => {
    const redis = await bench.redis();
    const { broker } = await bench.node(redis);
    const rooms = range(1, 5).map(() => freshRoom());
    for (const room of rooms) await appendAll(broker, room, [1]);
    await until(async () => (await broker.rooms({ prefix: "", limit: 9 })).rooms.length === 5);
    for (const room of rooms.slice(0, 4)) await redis.command("DEL", `roomcast:meta:{${room}}`);
    expect(await broker.rooms({ prefix: "", limit: 1 })).toEqual({
      rooms: [{ room: rooms[4], offset: 1 }],
      more: false,
    });
    expect(await redis.command("ZRANGE", "roomcast:rooms", "0", "-1")).toEqual([rooms[4]]);
  });
});

describe("a Redis that refuses", () => {
  test("for lack of memory, stores nothing and says store_full", async () => {
    const redis = await bench.redis();
    const { broker, ear } = await bench.node(redis);
    const room = freshRoom();
    await broker.subscribe(room);
    await appendAll(broker, room, [1]);
    await redis.command("CONFIG", "SET", "maxmemory", "1mb");
    const full = { code: "store_full", retryable: true };
    for (const messages of [0, 10]) {
      await expect(broker.append(room, [draft(room, 2)], { ...KEEP, messages })).rejects.toMatchObject(full);
    }
    await expect(broker.append(freshRoom(), [draft(room, 2)], KEEP)).rejects.toMatchObject(full);
    expect((await broker.read(room, { after: 0, limit: 9 })).messages).toHaveLength(1);
    await redis.command("CONFIG", "SET", "maxmemory", "0");
    const [next] = await appendAll(broker, room, [3]);
    expect(next!.position.offset).toBe(2);
    await until(() => ear.of(room).length === 2);
  });

  test("to write as a replica, is unavailable", async () => {
    const redis = await bench.redis();
    const { broker } = await bench.node(redis);
    const room = freshRoom();
    await redis.command("REPLICAOF", "127.0.0.1", "1");
    await expect(broker.append(room, [draft(room, 1)], KEEP)).rejects.toMatchObject(away);
    await redis.command("REPLICAOF", "NO", "ONE");
    await appendAll(broker, room, [1]);
  });

  test("while it is busy with a script, is unavailable", async () => {
    const redis = await bench.redis("--busy-reply-threshold", "20");
    const { broker } = await bench.node(redis);
    const endless = redis.command("EVAL", "while true do end", "0").catch((error: unknown) => error);
    const { error } = await until(async () => {
      const result = await timed(broker.ping());
      return result.error !== undefined && result;
    });
    expect(error).toMatchObject({ ...away, message: expect.stringContaining("BUSY") });
    await redis.command("SCRIPT", "KILL");
    await endless;
    await broker.ping();
  });

  test("a key of a foreign kind, is an internal error with its cause", async () => {
    const redis = await bench.redis();
    const { broker } = await bench.node(redis);
    const room = freshRoom();
    await redis.command("SET", `roomcast:meta:{${room}}`, "not ours");
    const { error } = await timed(broker.append(room, [draft(room, 1)], KEEP));
    expect(error).toMatchObject({
      code: "internal",
      cause: { message: expect.stringContaining("WRONGTYPE") },
    });
    expect((error as Error).message).not.toContain("WRONGTYPE");
  });
});

describe("numbers in Redis", () => {
  test("are exact far beyond 14 digits, and time never falls behind the log's", async () => {
    const redis = await bench.redis();
    const { broker, ear } = await bench.node(redis);
    const room = freshRoom();
    await broker.subscribe(room);
    await broker.check([{ room, offset: 0 }]);
    const top = 2 ** 53 - 3;
    const future = Date.now() + 3_600_000;
    await redis.command("HSET", `roomcast:meta:{${room}}`, "top", String(top), "time", String(future));
    const [{ position, time }] = (await appendAll(broker, room, ["far"])) as [
      Awaited<ReturnType<typeof appendAll>>[0],
    ];
    expect([position.offset, time]).toEqual([top + 1, future]);
    const live = await until(() => ear.of(room)[0]);
    expect(await broker.read(room, { before: top + 2, limit: 5 })).toMatchObject({
      messages: [live],
      firstOffset: top + 1,
    });
    expect(JSON.parse(live.packet)).toMatchObject({ 2: { offset: top + 1, time: future } });
    expect((await broker.read(room, { youngerThanMs: 1, limit: 5 })).messages).toEqual([live]);
  });
});

type Ends = Awaited<ReturnType<RedisBench["node"]>>["broker"];
type Room = ReturnType<typeof freshRoom>;
