import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { Channels } from "../../server/stores/redis/channels.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";
import { appendAll, Ear, freshRoom, offsetsOf, range } from "./broker-nodes.ts";
import { RedisBench, timed } from "./redis-nodes.ts";

const bench = new RedisBench();
afterEach(() => bench.end());

const channelsOf = (redis: RedisServer): Promise<unknown> => redis.command("PUBSUB", "SHARDCHANNELS");

async function calls(redis: RedisServer, command: string): Promise<number> {
  const stats = String(await redis.command("INFO", "commandstats"));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

/** Different gaps between the last one out and the next one in. */
const gaps = [() => Promise.resolve(), () => turn(), () => sleep(1), () => sleep(2)];

describe("the last one out and the next one in", () => {
  test.each([2_000, 1, 0])("200 times never leave a node deaf, with a linger of %i ms", async (lingerMs) => {
    const redis = await bench.redis();
    const { broker, ear } = await bench.node(redis, { lingerMs });
    const other = await bench.node(redis);
    const room = freshRoom();
    await broker.subscribe(room);
    for (const i of range(1, 200)) {
      await broker.unsubscribe(room);
      await gaps[i % gaps.length]!();
      await broker.subscribe(room);
      await appendAll(other.broker, room, [i]);
      await until(() => ear.of(room).length === i);
    }
    expect(offsetsOf(ear.of(room))).toEqual(range(1, 200));
    if (lingerMs === 2_000) expect(await calls(redis, "sunsubscribe")).toBe(0);
    if (lingerMs === 0) expect(await calls(redis, "sunsubscribe")).toBeGreaterThan(50);
  });

  test.each([2_000, 1, 0])(
    "leave the adapter's members hearing too, with a linger of %i ms",
    async (lingerMs) => {
      const redis = await bench.redis();
      const channels = new Channels({ url: redis.url, limits: DEFAULT_LIMITS, lingerMs });
      bench.onEnd(() => channels.close());
      await channels.start(new Ear());
      const heard: string[] = [];
      const listener = (message: Buffer): void => void heard.push(message.toString());
      await channels.sSubscribe("a channel", listener);
      for (const i of range(1, 200)) {
        void channels.sUnsubscribe("a channel");
        await gaps[i % gaps.length]!();
        await channels.sSubscribe("a channel", listener);
        await redis.command("SPUBLISH", "a channel", `{${i}}`);
        await until(() => heard.length === i);
      }
      expect(heard).toEqual(range(1, 200).map((i) => `{${i}}`));
    },
  );

  test("leave no subscription behind once the linger is over", async () => {
    const redis = await bench.redis();
    const { broker } = await bench.node(redis, { lingerMs: 50 });
    const rooms = range(1, 20).map(() => freshRoom());
    await Promise.all(rooms.map((room) => broker.subscribe(room)));
    expect(await channelsOf(redis)).toHaveLength(20);
    for (const room of rooms) await broker.unsubscribe(room);
    expect(await channelsOf(redis)).toHaveLength(20);
    await until(async () => ((await channelsOf(redis)) as unknown[]).length === 0);
  });

  test("go their ways while the connection is killed, and who holds a room hears it", async () => {
    const redis = await bench.redis();
    const { broker, ear } = await bench.node(redis, { lingerMs: 1 });
    const other = await bench.node(redis);
    const step = fc.record({
      what: fc.constantFrom("in", "out", "in", "out", "kill", "rest"),
      room: fc.nat({ max: 3 }),
    });
    const check = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      const rooms = range(0, 3).map(() => freshRoom());
      const held = new Set<number>();
      for (const { what, room } of steps) {
        // A subscribe that a kill makes wait is not awaited: the next step overlaps with it.
        if (what === "in") broker.subscribe(rooms[room]!).catch(() => {});
        else if (what === "out") await broker.unsubscribe(rooms[room]!);
        else if (what === "kill") await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
        else await sleep(2);
        if (what === "in") held.add(room);
        if (what === "out") held.delete(room);
      }
      // What was appended before the node noticed the last kill is for the hub to find in the log.
      await until(async () => {
        await Promise.all([...held].map((i) => broker.subscribe(rooms[i]!)));
        for (const room of rooms) await appendAll(other.broker, room, ["end"]);
        return [...held].every((i) => ear.of(rooms[i]!).length > 0);
      });
      const names = [...held].map((i) => `socket.io#/#{${rooms[i]}}#`);
      await until(async () => {
        const subscribed = (await channelsOf(redis)) as string[];
        return subscribed.toSorted().join(" ") === names.toSorted().join(" ");
      });
      expect(rooms.map((room) => ear.of(room).length > 0)).toEqual(rooms.map((_, i) => held.has(i)));
      await Promise.all(rooms.map((room) => broker.unsubscribe(room)));
    });
    await fc.assert(check, { numRuns: 12, endOnFailure: true });
  }, 60_000);
});

describe("a subscription", () => {
  test.each([
    ["killed", (redis: RedisServer) => redis.kill(), (redis: RedisServer) => redis.start()],
    ["hanging", async (redis: RedisServer) => redis.hang(), async (redis: RedisServer) => redis.wake()],
  ])("to a %s Redis is unavailable within 2 s, and given up for good", async (_name, fail, recover) => {
    const redis = await bench.redis();
    const { broker, ear } = await bench.node(redis, { lingerMs: 0 });
    const [held, refused] = [freshRoom(), freshRoom()];
    await broker.subscribe(held);
    await fail(redis);
    const results = await Promise.all(range(1, 3).map(() => timed(broker.subscribe(refused))));
    for (const { ms, error } of results) {
      expect(error).toMatchObject({ code: "unavailable" });
      expect(ms).toBeLessThan(2_000);
    }
    await recover(redis);
    await until(async () => {
      await broker.ping();
      const names = (await channelsOf(redis)) as string[];
      return names.length === 1 && names[0]!.includes(held);
    });
    await broker.subscribe(refused);
    await until(() => appendAll(broker, refused, [1]));
    await appendAll(broker, held, [1]);
    await until(() => ear.of(refused).length > 0 && ear.of(held).length > 0);
  });

  test("that was confirmed survives a connection that is killed, and the node is told", async () => {
    const redis = await bench.redis();
    const { broker, ear } = await bench.node(redis);
    const rooms = range(1, 50).map(() => freshRoom());
    await Promise.all(rooms.map((room) => broker.subscribe(room)));
    for (const times of range(1, 3)) {
      await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
      await until(() => ear.interruptions === times);
      await Promise.all(rooms.map((room) => appendAll(broker, room, [times])));
      await until(() => rooms.every((room) => ear.of(room).length === times));
    }
  });

  test("of the hub and of the adapter to one channel is one for Redis, until both are gone", async () => {
    const redis = await bench.redis();
    const channels = new Channels({ url: redis.url, limits: DEFAULT_LIMITS, lingerMs: 0 });
    bench.onEnd(() => channels.close());
    await channels.start(new Ear());
    const room = freshRoom();
    const name = `socket.io#/#{${room}}#`;
    await Promise.all([channels.hold(room), channels.sSubscribe(name, () => {})]);
    expect(await calls(redis, "ssubscribe")).toBe(1);
    channels.release(room);
    await sleep(20);
    expect(await channelsOf(redis)).toEqual([name]);
    await channels.sUnsubscribe(name);
    await until(async () => ((await channelsOf(redis)) as unknown[]).length === 0);
  });

  test("that an ACL forbids is unavailable, and comes to be once it is allowed", async () => {
    const redis = await bench.redis();
    const { broker, ear } = await bench.node(redis);
    await redis.command("ACL", "SETUSER", "default", "resetchannels");
    const room = freshRoom();
    const { ms, error } = await timed(broker.subscribe(room));
    expect(error).toMatchObject({ code: "unavailable" });
    expect(ms).toBeLessThan(2_000);
    const late = broker.subscribe(room);
    await redis.command("ACL", "SETUSER", "default", "allchannels");
    await late;
    await appendAll(broker, room, [1]);
    await until(() => ear.of(room).length === 1);
  });
});
