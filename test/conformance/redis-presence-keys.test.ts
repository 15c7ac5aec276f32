import { afterEach, describe, expect, test } from "@jest/globals";
import { createShardedAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import type { LeaseTimes } from "../../server/stores/redis/node-leases.ts";
import { channelOf, presenceKeys, socketRoom } from "../../server/stores/redis/keys.ts";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";
import { freshRoom } from "./broker-nodes.ts";
import { ANY, applied, heard, lines, person, usersOf } from "./presence-nodes.ts";
import { RedisBench } from "./redis-nodes.ts";
import { presenceNode, type RedisPresenceNode } from "./redis-presence-nodes.ts";

const bench = new RedisBench();
afterEach(() => bench.end());

async function node(
  redis: RedisServer,
  room: RoomName,
  times: Partial<LeaseTimes> = { tickMs: 100 },
): Promise<RedisPresenceNode> {
  // Thousands at once are much for a machine that others use too.
  const limits = { ...DEFAULT_LIMITS, redisCommandMs: 10_000 };
  const made = await presenceNode({ url: redis.url, limits }, times);
  bench.onEnd(() => made.broker.close());
  await made.hold(room);
  return made;
}

async function scriptCalls(redis: RedisServer): Promise<number> {
  const stats = String(await redis.command("INFO", "commandstats"));
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

const people = (count: number): string[] => Array.from({ length: count }, (_, i) => `user ${i}`);

describe("the members of a room in Redis", () => {
  test("come by thousands in a few scripts, each of which is one announcement", async () => {
    const redis = await bench.redis();
    const room = freshRoom();
    const [a, b] = [await node(redis, room, {}), await node(redis, room, {})];
    const before = await scriptCalls(redis);
    await Promise.all(
      people(2_000).map((user) => a.store.touch(room, person(user), { ...ANY, most: 5_000 })),
    );
    expect((await scriptCalls(redis)) - before).toBeLessThan(50);
    const changes = await heard(b, room);
    expect(changes.length).toBeLessThan(20);
    expect(applied(changes).size).toBe(2_000);
  });

  test("are read while they change, and are right with the changes after the mark", async () => {
    const redis = await bench.redis();
    const room = freshRoom();
    const [a, b] = [await node(redis, room), await node(redis, room)];
    const rules = { ...ANY, most: 10_000 };
    await Promise.all(people(3_000).map((user) => a.store.touch(room, person(user), rules)));
    const busy = people(300).map(async (user, i) => {
      if (i % 3 === 0) await a.store.remove(room, user);
      if (i % 3 === 1) await a.store.touch(room, person(user, "another name"), rules);
      if (i % 3 === 2) await b.store.touch(room, person(`late ${user}`), rules);
    });
    const { mark, members } = await b.store.list(room);
    await Promise.all(busy);
    const later = (await heard(b, room)).filter(({ version }) => version > mark.version);
    const { members: all } = await a.store.list(room);
    expect(applied(later, members)).toEqual(new Map(all.map((member) => [member.user, member])));
    expect(all).toHaveLength(3_000);
  });

  test("are forgotten with all that belongs to them, but not while a node stays", async () => {
    const redis = await bench.redis();
    const room = freshRoom();
    const a = await node(redis, room, { tickMs: 100, keepMs: 1_000 });
    await a.store.touch(room, person("ana"), { uniqueNames: true, most: 9 });
    const keys = async (): Promise<string[]> => (await redis.command("KEYS", `*${room}*`)) as string[];
    expect(await keys()).toHaveLength(4);
    const ends = performance.now() + 2_500;
    await until(async () => {
      expect((await a.store.list(room)).members).toHaveLength(1);
      return performance.now() > ends;
    }, 10_000);
    await a.store.close();
    await until(async () => (await keys()).length === 0);
  }, 60_000);

  test("leave in several announcements, none of them huge, when the node closes on which thousands are", async () => {
    const redis = await bench.redis();
    const room = freshRoom();
    const times = { tickMs: 100, leaseMs: 1_000, closingMs: 100 };
    const [a, b] = [await node(redis, room, times), await node(redis, room, times)];
    const rules = { ...ANY, most: 10_000 };
    await Promise.all(people(2_200).map((user) => a.store.touch(room, person(user), rules)));
    await b.store.touch(room, person("ben"), rules);
    await a.broker.close();
    await until(() => b.ear.of(room).at(-1)?.total === 1, 10_000);
    const left = b.ear.of(room).flatMap((change) => (change.left.length > 0 ? [change.left.length] : []));
    expect(left.length).toBeGreaterThan(1);
    expect(left.reduce((sum, count) => sum + count)).toBe(2_200);
    expect(usersOf((await b.store.list(room)).members)).toEqual(["ben"]);
  }, 60_000);

  test("are said again by every node when a part of them is lost", async () => {
    const redis = await bench.redis();
    const room = freshRoom();
    const [a, b] = [await node(redis, room), await node(redis, room)];
    a.ear.sayAgain = () => a.store.touch(room, person("ana"), ANY);
    b.ear.sayAgain = () => b.store.touch(room, person("ben"), ANY);
    await a.ear.sayAgain();
    await b.ear.sayAgain();
    const [{ life }] = [(await a.store.list(room)).mark];
    await redis.command("DEL", presenceKeys(room, "")[0]);
    await b.store.touch(room, person("ben"), ANY);
    await until(async () => usersOf((await b.store.list(room)).members).join() === "ana,ben");
    expect((await a.store.list(room)).mark.life).not.toBe(life);
    expect(a.ear.forgotten).toBe(1);
  });

  test("come and go while Redis has no memory left, and its nodes stay alive", async () => {
    const redis = await bench.redis();
    const room = freshRoom();
    const [a, b] = [await node(redis, room), await node(redis, room, { tickMs: 100, leaseMs: 1_000 })];
    await a.store.touch(room, person("ana"), ANY);
    await b.store.touch(room, person("ben"), ANY);
    await redis.command("CONFIG", "SET", "maxmemory", "1");
    await a.store.touch(room, person("cleo"), ANY);
    await a.store.remove(room, "ana");
    await until(async () => usersOf((await b.store.list(room)).members).join() === "ben,cleo");
    const lease = async (): Promise<number> => {
      const leases = await redis.command("ZRANGE", "roomcast:{nodes}", "0", "-1", "WITHSCORES");
      return Math.min(...(leases as [string, number][]).map(([, end]) => end));
    };
    const before = await lease();
    await until(async () => (await lease()) > before + 2_000, 10_000);
    expect(b.ear.forgotten).toBe(0);
  }, 60_000);
});

describe("a change of members on its channel", () => {
  test("does nothing to a stock server there, nor to the adapter of the hub", async () => {
    const redis = await bench.redis();
    const room = freshRoom();
    const a = await node(redis, room);
    const pub = createClient({ url: redis.url });
    const sub = pub.duplicate();
    await Promise.all([pub.connect(), sub.connect()]);
    bench.onEnd(() => Promise.all([pub.close(), sub.close()]));
    const stock = new Server({
      adapter: createShardedAdapter(pub, sub, { subscriptionMode: "dynamic-private" }),
    });
    const own = new Server({ adapter: a.broker.socketAdapter() });
    bench.onEnd(async () => stock.of("/").adapter.close());
    const emits: unknown[] = [];
    for (const { adapter } of [stock.of("/"), own.of("/")]) {
      void adapter.addAll("a member", new Set([socketRoom(room)]));
      adapter.broadcast = (packet: unknown) => emits.push(packet);
    }
    await until(async () =>
      String(await redis.command("PUBSUB", "SHARDNUMSUB", channelOf(room))).endsWith(",2"),
    );
    await a.store.touch(room, person("ana"), ANY);
    expect(lines(await heard(a, room))).toEqual(["1/1 +ana"]);
    const broken = '{"uid":"roomcast","nsp":"/","type":"members","data":{"life":1}}';
    await redis.command("SPUBLISH", channelOf(room), broken);
    await until(() => a.broker.unreadable === 1);
    expect(a.ear.of(room)).toHaveLength(1);
    expect(emits).toEqual([]);
  });

  test("is told to a node only while it holds the room", async () => {
    const redis = await bench.redis();
    const room = freshRoom();
    const [a, b] = [await node(redis, room), await node(redis, room)];
    await a.store.touch(room, person("ana"), ANY);
    await heard(b, room);
    await b.broker.unsubscribe(room);
    await a.store.touch(room, person("ben"), ANY);
    await heard(a, room);
    await b.broker.subscribe(room);
    await a.store.touch(room, person("cleo"), ANY);
    await heard(b, room);
    expect(b.ear.of(room).map(({ version }) => version)).toEqual([1, 3]);
  });
});
