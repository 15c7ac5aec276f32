import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { slotOf } from "../../server/stores/redis/slot.ts";
import { HubError } from "../../shared/errors.ts";
import type { RoomName } from "../../shared/room-name.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { RedisCluster } from "../support/redis-cluster.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";
import { appendAll, draft, freshRoom, KEEP, offsetsOf, placed, range } from "./broker-nodes.ts";
import { RedisBench, timed, type RedisNode } from "./redis-nodes.ts";

const saving = ["--appendonly", "yes", "--appendfsync", "always"];
const bench = new RedisBench();
let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await RedisCluster.start({ args: saving });
}, 20_000);
afterEach(() => bench.end());
afterAll(() => cluster.stop());

const away = { code: "unavailable", retryable: true };

/** A room for each master, in their order. */
async function roomOnEach(): Promise<RoomName[]> {
  const rooms = new Map<RedisServer, RoomName>();
  while (rooms.size < cluster.masters.length) {
    const room = freshRoom();
    rooms.set(await cluster.masterOf(room), room);
  }
  return cluster.masters.map((master) => rooms.get(master)!);
}

/** Two nodes that hold a room on each master, in which one message each has come. */
async function spread(): Promise<{ a: RedisNode; b: RedisNode; rooms: RoomName[] }> {
  const [a, b] = [await bench.node(cluster), await bench.node(cluster)];
  const rooms = await roomOnEach();
  for (const room of rooms) {
    await Promise.all([a.broker.subscribe(room), b.broker.subscribe(room)]);
    await appendAll(a.broker, room, [1]);
    await until(() => [a, b].every(({ ear }) => ear.of(room).length === 1));
  }
  return { a, b, rooms };
}

describe("the addresses of a cluster", () => {
  const errorAt = async (...urls: string[]): Promise<unknown> =>
    (await timed(bench.node({ url: urls.join(",") }))).error;

  test("may be any of its masters, and some of them may be away", async () => {
    const alone = await bench.redis();
    await alone.kill();
    const { broker } = await bench.node({ url: `${alone.url}, ${cluster.masters[2]!.url}` });
    for (const room of await roomOnEach()) await appendAll(broker, room, [1]);
    expect(await errorAt(alone.url, alone.url)).toMatchObject({
      ...away,
      message: expect.stringMatching(/ECONNREFUSED.*;.*ECONNREFUSED/),
    });
  });

  test("are refused together with what is no part of it", async () => {
    const [alone, other] = [await bench.redis(), await bench.cluster({ masters: 1 })];
    for (const urls of [
      [cluster.url, alone.url],
      [alone.url, cluster.url],
      [alone.url, alone.url],
    ]) {
      expect(await errorAt(...urls)).toMatchObject({
        ...away,
        message: `several addresses are for a Redis Cluster, and 127.0.0.1:${alone.port} is no part of one`,
      });
    }
    expect(await errorAt(cluster.url, other.url)).toMatchObject({
      message: `127.0.0.1:${cluster.masters[0]!.port} and 127.0.0.1:${other.masters[0]!.port} belong to different Redis Clusters`,
    });
  });

  test("lead to all masters: rooms are on each of them, and all are listed", async () => {
    const { a, rooms } = await spread();
    const sizes = await cluster.each((master) => master.command("DBSIZE"));
    expect(sizes.every((size) => Number(size) > 0)).toBe(true);
    await until(async () => {
      const listed = (await a.broker.rooms({ prefix: "", limit: 100 })).rooms.map(({ room }) => room);
      return rooms.every((room) => listed.includes(room));
    });
  });

  test("that forget a script on one master get it again", async () => {
    const { a, b, rooms } = await spread();
    await cluster.masters[1]!.command("SCRIPT", "FLUSH");
    for (const room of rooms) await appendAll(a.broker, room, range(2, 20));
    await until(() => rooms.every((room) => b.ear.of(room).length === 20));
    for (const room of rooms) expect(offsetsOf(b.ear.of(room))).toEqual(range(1, 20));
  });
});

describe.each([
  ["killed", (master: RedisServer) => master.kill(), (master: RedisServer) => master.start()],
  ["hanging", async (master: RedisServer) => master.hang(), async (master: RedisServer) => master.wake()],
])("a master that is %s", (_name, fail, recover) => {
  test("makes its own rooms unavailable within 2 s, and no other; when it is back they go on", async () => {
    const { a, b, rooms } = await spread();
    const [lost, ...others] = rooms as [RoomName, ...RoomName[]];
    await fail(cluster.masters[0]!);
    for (const request of [
      a.broker.append(lost, [draft(lost, 2)], KEEP),
      a.broker.read(lost, { after: 0, limit: 1 }),
      a.broker.broadcast(lost, draft(lost, 1)),
    ]) {
      const { ms, error } = await timed(request);
      expect(error).toMatchObject(away);
      expect(ms).toBeLessThan(2_000);
    }
    for (const room of others) {
      const { ms, error } = await timed(appendAll(a.broker, room, [2]));
      expect(error).toBeUndefined();
      expect(ms).toBeLessThan(500);
      await until(() => b.ear.of(room).length === 2);
    }
    await a.broker.ping();
    await recover(cluster.masters[0]!);
    const [next] = await until(() => appendAll(b.broker, lost, ["back"]), 10_000);
    const seen = (node: RedisNode): boolean =>
      node.ear.of(lost).some(({ offset }) => offset === next!.position.offset);
    await until(async () => {
      await appendAll(b.broker, lost, ["again"]);
      return [a, b].every((node) => seen(node) || node.ear.interrupted.includes(lost));
    }, 10_000);
    const [last] = await until(() => appendAll(b.broker, lost, ["last"]));
    await until(() => [a, b].every(({ ear }) => ear.of(lost).at(-1)?.offset === last!.position.offset));
    for (const { ear } of [a, b]) expect(ear.interrupted.filter((room) => room !== lost)).toEqual([]);
  }, 30_000);
});

describe("a master that answers and pushes nothing", () => {
  test("is found within 5 s, and none of the others is touched", async () => {
    const proxy = await FaultProxy.start(cluster.masters[0]!.port, { redis: true });
    bench.onEnd(() => proxy.close());
    const rooms = await roomOnEach();
    const [master] = cluster.masters as [RedisServer];
    await cluster.announce(master, proxy.port);
    bench.onEnd(() => cluster.announce(master, master.port));
    const { broker, ear } = await bench.node(cluster);
    for (const room of rooms) await broker.subscribe(room);
    await proxy.set("dropPushes");
    for (const room of rooms) await appendAll(broker, room, [1]);
    await until(() => ear.interrupted.length > 0, 5_000);
    expect(proxy.dropped).toBeGreaterThan(1);
    // Where nothing helps, it is not tried every second for ever.
    const accepted = proxy.accepted;
    await sleep(4_000);
    expect(proxy.accepted - accepted).toBeLessThanOrEqual(2);
    await proxy.set("pass");
    await until(async () => {
      for (const room of rooms) await appendAll(broker, room, [2]);
      return rooms.every((room) => ear.of(room).length > 1);
    }, 10_000);
    expect(new Set(ear.interrupted)).toEqual(new Set([rooms[0]]));
  }, 30_000);
});

describe("heads in a cluster", () => {
  test("are told of all rooms but those whose master is away", async () => {
    const { a, rooms } = await spread();
    await cluster.masters[0]!.kill();
    bench.onEnd(() => cluster.masters[0]!.start().then(() => cluster.agreed()));
    const heads = await until(async () => {
      const replies = await a.broker.heads(rooms);
      return replies[0] instanceof HubError && replies;
    });
    expect(heads).toEqual([
      expect.objectContaining(away),
      expect.objectContaining({ offset: 1 }),
      expect.objectContaining({ offset: 1 }),
    ]);
    await expect(a.broker.heads([rooms[0]!])).rejects.toMatchObject(away);
    expect(await a.broker.heads([])).toEqual([]);
    await a.broker.ping();
    await cluster.masters[1]!.kill();
    bench.onEnd(() => cluster.masters[1]!.start());
    await until(async () => (await timed(a.broker.ping())).error !== undefined);
  });

  test("follow a slot that has moved", async () => {
    const { a, rooms } = await spread();
    await cluster.move(slotOf(rooms[0]!), cluster.masters[0]!, cluster.masters[2]!);
    expect(await a.broker.heads(rooms)).toEqual(rooms.map(() => expect.objectContaining({ offset: 1 })));
  });
});

describe("a slot that moves", () => {
  test("while its room is published to, costs nothing: both nodes go on at the other master", async () => {
    const { a, b, rooms } = await spread();
    const [room] = rooms as [RoomName];
    const [from, to] = cluster.masters as [RedisServer, RedisServer];
    const enough = new AbortController();
    const publishing = (async () => {
      const placedAt: number[] = [];
      while (!enough.signal.aborted)
        placedAt.push(placed((await a.broker.append(room, [draft(room, "x")], KEEP))[0]).position.offset);
      return placedAt;
    })();
    await until(() => b.ear.of(room).length > 50);
    await cluster.move(slotOf(room), from, to);
    const at = b.ear.of(room).length;
    await until(() => b.ear.of(room).length > at + 50);
    await cluster.move(slotOf(room), to, from);
    await until(() => [a, b].every(({ ear }) => ear.interrupted.filter((name) => name === room).length >= 2));
    enough.abort();
    const offsets = await publishing;
    expect(offsets).toEqual(range(2, offsets.length + 1));
    await until(() => [a, b].every(({ ear }) => ear.of(room).at(-1)?.offset === offsets.at(-1)));
    // What came while nobody was subscribed is for the hub to find in the log, so it was told.
    for (const { ear } of [a, b]) expect(ear.interrupted.every((name) => name === room)).toBe(true);
    const { messages } = await b.broker.read(room, { after: 0, limit: 100_000 });
    expect(offsetsOf(messages)).toEqual([1, ...offsets]);
  }, 30_000);

  test("and has its keys in two places, makes its room wait until they are together", async () => {
    const { a, b, rooms } = await spread();
    const [room] = rooms as [RoomName];
    const { keys, moveKeys, end } = await cluster.moving(
      slotOf(room),
      cluster.masters[0]!,
      cluster.masters[1]!,
    );
    await moveKeys(`roomcast:meta:{${room}}`);
    // What needs that key alone is answered by whoever has it.
    await a.broker.broadcast(room, draft(room, "live"));
    expect(await a.broker.heads([room])).toEqual([expect.objectContaining({ offset: 1 })]);
    const { ms, error } = await timed(a.broker.append(room, [draft(room, "too early")], KEEP));
    expect(error).toMatchObject(away);
    expect(ms).toBeLessThan(2_000);
    const waiting = appendAll(a.broker, room, [2]);
    await moveKeys(...(await keys()));
    await end();
    expect((await waiting)[0]!.position.offset).toBe(2);
    await appendAll(a.broker, room, [3]);
    await until(() => b.ear.of(room).at(-1)?.offset === 3);
  }, 30_000);
});

describe("a master that is replaced by its replica", () => {
  test("has its rooms go on there, and may come back", async () => {
    const { a, b, rooms } = await spread();
    const [room, other] = rooms as [RoomName, RoomName];
    const [master] = cluster.masters as [RedisServer];
    const replica = await cluster.addReplica(master);
    await until(async () => Number(await replica.command("DBSIZE")) > 0);
    await master.kill();
    const [next] = await until(() => appendAll(a.broker, room, ["next"]), 15_000);
    expect(next!.position.offset).toBe(2);
    await until(() => [a, b].every(({ ear }) => ear.interrupted.includes(room)), 10_000);
    const [later] = await appendAll(b.broker, room, ["later"]);
    await until(() => [a, b].every(({ ear }) => ear.of(room).at(-1)?.offset === later!.position.offset));
    await master.start();
    await until(async () => String(await master.command("ROLE")).startsWith("slave"), 10_000);
    for (const name of [room, other]) await appendAll(a.broker, name, ["end"]);
    await until(() => [a, b].every(({ ear }) => ear.of(room).length >= 3 && ear.of(other).length === 2));
    for (const { ear } of [a, b]) expect(ear.interrupted).toEqual([room]);
  }, 40_000);
});
