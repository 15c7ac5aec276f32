import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { slotOf } from "../../server/stores/redis/slot.ts";
import { HubError } from "../../shared/errors.ts";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";
import { appendAll, draft, KEEP, offsetsOf, placed, range, type Placed } from "./broker-nodes.ts";
import { ClusterBench } from "./redis-cluster-nodes.ts";
import { timed, type RedisNode } from "./redis-nodes.ts";

const bench = new ClusterBench();

const away = { code: "unavailable", retryable: true };

describe.each([
  ["killed", (master: RedisServer) => master.kill(), (master: RedisServer) => master.start()],
  ["hanging", async (master: RedisServer) => master.hang(), async (master: RedisServer) => master.wake()],
])("a master that is %s", (_name, fail, recover) => {
  test("makes its own rooms unavailable within 2 s, and no other; when it is back they go on", async () => {
    const { a, b, rooms } = await bench.spread();
    const [lost, ...others] = rooms;
    await fail(bench.masters[0]);
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
    await recover(bench.masters[0]);
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
  }, 60_000);
});

describe("a master that answers and pushes nothing", () => {
  test("is found within 5 s, and none of the others is touched", async () => {
    const proxy = await FaultProxy.start(bench.masters[0].port, true);
    bench.onEnd(() => proxy.close());
    const rooms = await bench.roomOnEach();
    const [master] = bench.masters;
    await bench.shared.announce(master, proxy.port);
    bench.onEnd(() => bench.shared.announce(master, master.port));
    const { broker, ear } = await bench.node(bench.shared);
    for (const room of rooms) await broker.subscribe(room);
    await proxy.set("drop-pushes");
    for (const room of rooms) await appendAll(broker, room, [1]);
    await until(() => ear.interrupted.length > 0, 5_000);
    expect(proxy.lost).toBeGreaterThan(1);
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
  }, 60_000);
});

describe("heads in a cluster", () => {
  test("are told of all rooms but those whose master is away", async () => {
    const { a, rooms } = await bench.spread();
    await bench.masters[0].kill();
    bench.onEnd(() => bench.masters[0].start().then(() => bench.shared.agreed()));
    const heads = await until(async () => {
      const replies = await a.broker.heads(rooms);
      return replies[0] instanceof HubError && replies;
    });
    expect(heads).toEqual([
      expect.objectContaining(away),
      expect.objectContaining({ offset: 1 }),
      expect.objectContaining({ offset: 1 }),
    ]);
    await expect(a.broker.heads([rooms[0]])).rejects.toMatchObject(away);
    expect(await a.broker.heads([])).toEqual([]);
    await a.broker.ping();
    await bench.masters[1].kill();
    bench.onEnd(() => bench.masters[1].start());
    await until(async () => (await timed(a.broker.ping())).error !== undefined);
  });

  test("follow a slot that has moved", async () => {
    const { rooms } = await bench.spread();
    // It hears of no move, for it is subscribed to nothing.
    const { broker } = await bench.node(bench.shared);
    await bench.shared.move(slotOf(rooms[0]), bench.masters[0], bench.masters[2]);
    expect(await broker.heads(rooms)).toEqual(rooms.map(() => expect.objectContaining({ offset: 1 })));
  });
});

describe("a slot that moves", () => {
  test("while its room is published to, costs nothing: both nodes go on at the other master", async () => {
    const { a, b, rooms } = await bench.spread();
    const [room] = rooms;
    const [from, to] = bench.masters;
    const enough = new AbortController();
    const publishing = (async () => {
      const placedAt: number[] = [];
      while (!enough.signal.aborted)
        placedAt.push(placed((await a.broker.append(room, [draft(room, "x")], KEEP))[0]).position.offset);
      return placedAt;
    })();
    await until(() => b.ear.of(room).length > 50);
    await bench.shared.move(slotOf(room), from, to);
    const at = b.ear.of(room).length;
    await until(() => b.ear.of(room).length > at + 50);
    await bench.shared.move(slotOf(room), to, from);
    await until(() => [a, b].every(({ ear }) => ear.interrupted.filter((name) => name === room).length >= 2));
    enough.abort();
    const offsets = await publishing;
    expect(offsets).toEqual(range(2, offsets.length + 1));
    await until(() => [a, b].every(({ ear }) => ear.of(room).at(-1)?.offset === offsets.at(-1)));
    // What came while nobody was subscribed is for the hub to find in the log, so it was told.
    for (const { ear } of [a, b]) expect(ear.interrupted.every((name) => name === room)).toBe(true);
    const { messages } = await b.broker.read(room, { after: 0, limit: 100_000 });
    expect(offsetsOf(messages)).toEqual([1, ...offsets]);
  }, 60_000);

  test("and has its keys in two places, makes its room wait until they are together", async () => {
    const { a, b, rooms } = await bench.spread();
    const [room] = rooms;
    const { keys, moveKeys, end } = await bench.shared.moving(
      slotOf(room),
      bench.masters[0],
      bench.masters[1],
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
  }, 60_000);
});

describe("a slot whose move is announced while an answer is waited for", () => {
  test("is noticed all the same, by what the cluster says, and its room goes on", async () => {
    const rooms = await bench.roomOnEach();
    const [from, to] = bench.masters;
    const proxy = await FaultProxy.start(from.port, true);
    bench.onEnd(() => proxy.close());
    await bench.shared.announce(from, proxy.port);
    bench.onEnd(() => bench.shared.announce(from, from.port));
    const { broker, ear } = await bench.node({ url: to.url });
    for (const room of rooms) await broker.subscribe(room);
    // From now on the next ping is without an answer, and the client takes no announcement for one.
    await proxy.set("hang-requests");
    await sleep(1_100);
    await bench.shared.move(slotOf(rooms[0]), from, to);
    await proxy.set("pass");
    await until(() => ear.interrupted.includes(rooms[0]), 8_000);
    const [{ position }] = (await appendAll(broker, rooms[0], ["here"])) as [Placed];
    await until(() => ear.of(rooms[0]).at(-1)?.offset === position.offset);
    await bench.shared.move(slotOf(rooms[0]), to, from);
    const heard = ear.of(rooms[0]).length;
    await until(async () => {
      await appendAll(broker, rooms[0], ["and back"]);
      return ear.of(rooms[0]).length > heard;
    });
  }, 60_000);
});

describe("a master that is replaced by its replica", () => {
  test("has its rooms go on there, and may come back", async () => {
    const { a, b, rooms } = await bench.spread();
    const [room, other] = rooms;
    const [master] = bench.masters;
    const replica = await bench.shared.addReplica(master);
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
