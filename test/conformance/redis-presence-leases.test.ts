import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import type { Present } from "../../server/hub/presence-store.ts";
import type { LeaseTimes } from "../../server/stores/redis/node-leases.ts";
import type { RoomName } from "../../shared/room-name.ts";
import { PresenceProcesses } from "../support/presence-process.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";
import { freshRoom } from "./broker-nodes.ts";
import { lines, person, UNIQUE, usersOf } from "./presence-nodes.ts";
import { RedisBench } from "./redis-nodes.ts";
import { presenceNode, type RedisPresenceNode } from "./redis-presence-nodes.ts";

const TIMES = { tickMs: 200, leaseMs: 2_500, closingMs: 1_000 };
/** So much later than it may, a machine that others use too does what it should. */
const PATIENCE_MS = 20_000;

const bench = new RedisBench();
let processes: PresenceProcesses;

beforeAll(() => {
  processes = new PresenceProcesses();
});
afterEach(() => bench.end());
afterAll(() => processes.end());

/** Starts a node that holds a room and says, also again, that somebody is there. */
async function nodeWith(
  url: string,
  room: RoomName,
  present?: Present,
  times: Partial<LeaseTimes> = TIMES,
): Promise<RedisPresenceNode> {
  const node = await presenceNode({ url }, times);
  bench.onEnd(() => node.broker.close());
  await until(() => node.hold(room).then(() => true));
  if (present === undefined) return node;
  node.ear.sayAgain = async () => {
    await until(() => node.store.touch(room, present, UNIQUE).then(() => true), PATIENCE_MS);
  };
  await node.store.touch(room, present, UNIQUE);
  return node;
}

/** What the room's state in Redis holds of nodes. */
async function nodesIn(redis: RedisServer, room: RoomName): Promise<string[]> {
  const fields = (await redis.command("HKEYS", `roomcast:here-state:{${room}}`)) as string[];
  return fields.filter((field) => !["life", "version", "total"].includes(field)).toSorted();
}

async function registered(redis: RedisServer): Promise<string[]> {
  return ((await redis.command("ZRANGE", "roomcast:{nodes}", "0", "-1")) as string[]).toSorted();
}

const usersIn = async ({ store }: RedisPresenceNode, room: RoomName): Promise<string[]> =>
  usersOf((await store.list(room)).members);

describe("a node that is killed", () => {
  test("is taken back, which is announced once, and its connections do not count any more", async () => {
    const redis = await bench.redis();
    const [room, unwatched] = [freshRoom(), freshRoom()];
    const b = await nodeWith(redis.url, room);
    const c = await nodeWith(redis.url, room);
    const a = await nodeWith(redis.url, room, person("ana"));
    const people = { ben: "Ben", cleo: "Cleo" };
    const killOne = await processes.start(redis.url, TIMES, room, people);
    const killTwo = await processes.start(redis.url, TIMES, unwatched, people);
    await until(async () => (await a.store.counts([room]))[0]!.connections === 2);
    expect(await usersIn(b, room)).toEqual(["ana", "ben", "cleo"]);
    await Promise.all([killOne(), killTwo()]);
    await until(() => [a, b, c].every(({ ear }) => ear.of(room).length === 4), PATIENCE_MS);
    for (const { ear } of [a, b, c])
      expect(lines(ear.of(room))).toEqual(["1/1 +ana", "2/2 +ben", "3/3 +cleo", "4/1 -ben -cleo"]);
    // Another node may have been the first to see it: this one counts by what it saw in its last tick.
    await until(async () => {
      expect(await a.store.counts([room])).toEqual([{ connections: 0, members: 1 }]);
      return true;
    });
    // Nobody hears of it there, and it is right when it is read.
    await until(async () => {
      expect(await b.store.marks([unwatched])).toMatchObject([{ version: 3, total: 0 }]);
      return true;
    }, PATIENCE_MS);
    expect(await c.store.list(unwatched)).toMatchObject({ members: [] });
  }, 60_000);

  test("does not keep its users' names from those who come back elsewhere", async () => {
    const redis = await bench.redis();
    const room = freshRoom();
    const a = await nodeWith(redis.url, room);
    const kill = await processes.start(redis.url, TIMES, room, { "guest:1": "Ben" });
    await kill();
    await a.store.touch(room, person("guest:2", "Ben"), UNIQUE);
    expect(await usersIn(a, room)).toEqual(["guest:2"]);
  }, 60_000);

  test("leaves nothing that is in the way of a node that starts later and alone", async () => {
    const redis = await bench.redis();
    const room = freshRoom();
    const kill = await processes.start(redis.url, TIMES, room, { ben: "Ben" });
    await kill();
    await sleep(TIMES.leaseMs);
    const a = await nodeWith(redis.url, room);
    await until(async () => (await usersIn(a, room)).length === 0, PATIENCE_MS);
    expect(await nodesIn(redis, room)).toEqual([]);
  }, 60_000);
});

describe("a node that is cut off for longer than its lease", () => {
  test("says everything again under another id, and leaves nothing under the old one", async () => {
    const redis = await bench.redis();
    const proxy = await FaultProxy.start(redis.port, true);
    bench.onEnd(() => proxy.close());
    const room = freshRoom();
    const a = await nodeWith(redis.url, room, person("ana"));
    const b = await nodeWith(`redis://127.0.0.1:${proxy.port}`, room, person("ben"));
    const before = await nodesIn(redis, room);
    await proxy.set("hang");
    await until(() => a.ear.of(room).some(({ left }) => left.length === 1), PATIENCE_MS);
    expect(await nodesIn(redis, room)).toHaveLength(1);
    await proxy.set("pass");
    await until(async () => (await usersIn(a, room)).length === 2, PATIENCE_MS);
    await until(async () => (await registered(redis)).length === 2, PATIENCE_MS);
    const after = await nodesIn(redis, room);
    expect(after).toHaveLength(2);
    expect(after.filter((id) => before.includes(id))).toHaveLength(1);
    expect(lines(a.ear.of(room))).toEqual(["1/1 +ana", "2/2 +ben", "3/1 -ben", "4/2 +ben"]);
    expect(b.ear.forgotten).toBeGreaterThan(0);
  }, 60_000);
});

describe("a Redis that hangs for longer than a lease", () => {
  test.each([1, 2.5])(
    "makes nobody leave (%d times as long)",
    async (times) => {
      const redis = await bench.redis();
      const room = freshRoom();
      const a = await nodeWith(redis.url, room, person("ana"));
      const b = await nodeWith(redis.url, room, person("ben"));
      await until(() => b.ear.of(room).length > 0 && a.ear.of(room).length === 2);
      // Each knows the other.
      for (const { store } of [a, b]) store.setConnections(room, 1);
      for (const { store } of [a, b])
        await until(async () => (await store.counts([room]))[0]!.connections === 2);
      // With nobody left in it the registry would begin anew, and tell of nobody who has gone.
      await redis.command("ZADD", "roomcast:{nodes}", String(Date.now() + 600_000), "another node");
      redis.hang();
      await sleep(TIMES.leaseMs * times + 500);
      redis.wake();
      // Time enough to be taken for dead.
      await sleep(TIMES.leaseMs + 3 * TIMES.tickMs);
      await until(async () => (await usersIn(a, room)).length === 2, PATIENCE_MS);
      await a.store.touch(room, person("ana", "Ann"), UNIQUE);
      await until(() => a.ear.of(room).at(-1)?.joined[0]?.name === "Ann");
      expect(lines(a.ear.of(room))).toEqual(["1/1 +ana", "2/2 +ben", "3/2 +ana"]);
    },
    60_000,
  );
});

describe("a Redis that has forgotten everything", () => {
  test.each([
    ["by a restart", async (redis: RedisServer) => redis.kill().then(() => redis.start())],
    ["by FLUSHALL", async (redis: RedisServer) => void (await redis.command("FLUSHALL"))],
  ])(
    "%s is told again who is where, and nobody is there twice",
    async (_name, forget) => {
      const redis = await bench.redis();
      const room = freshRoom();
      const a = await nodeWith(redis.url, room, person("ana"));
      const b = await nodeWith(redis.url, room, person("ben"));
      a.store.setConnections(room, 3);
      const before = await registered(redis);
      const [mark] = await b.store.marks([room]);
      await forget(redis);
      await until(async () => (await usersIn(a, room)).join() === "ana,ben", PATIENCE_MS);
      await until(async () => (await registered(redis)).length === 2, PATIENCE_MS);
      const ids = await registered(redis);
      expect(ids.filter((id) => before.includes(id))).toEqual([]);
      expect(await nodesIn(redis, room)).toEqual(ids);
      const { mark: after } = await b.store.list(room);
      expect(after.total).toBe(2);
      expect(after.life).not.toBe((mark as typeof after).life);
      expect([a.ear.forgotten, b.ear.forgotten]).toEqual([1, 1]);
      await until(async () => (await b.store.counts([room]))[0]!.connections === 3);
      await b.store.remove(room, "ben");
      expect(await usersIn(a, room)).toEqual(["ana"]);
    },
    60_000,
  );
});

describe("a node whose connections are made anew", () => {
  test("says everything again without a change that anybody sees, and takes nothing back before", async () => {
    const redis = await bench.redis();
    const room = freshRoom();
    const a = await nodeWith(redis.url, room, person("ana"));
    const b = await nodeWith(redis.url, room);
    await b.store.touch(room, person("gone"), UNIQUE);
    const [id, ...others] = (await nodesIn(redis, room)).filter((node) => node !== "");
    expect([id, others.length]).toEqual([expect.any(String), 1]);
    let saysNothing = true;
    const { sayAgain } = a.ear;
    a.ear.sayAgain = async () => {
      if (saysNothing) throw new Error("not yet");
      await sayAgain();
    };
    await redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await until(() => a.ear.forgotten > 2, PATIENCE_MS);
    expect((await nodesIn(redis, room)).length).toBeGreaterThan(0);
    expect(await usersIn(b, room)).toContain("ana");
    saysNothing = false;
    await until(async () => (await registered(redis)).length === 2, PATIENCE_MS);
    await until(async () => (await nodesIn(redis, room)).length === 1, PATIENCE_MS);
    expect(lines(b.ear.of(room)).filter((line) => line.includes("ana"))).toEqual([]);
    expect(await usersIn(b, room)).toEqual(["ana"]);
  }, 60_000);
});
