import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { slotOf } from "../../server/stores/redis/slot.ts";
import { range } from "../support/core.ts";
import { Nodes, type RunningNode, type StockClient } from "../support/nodes.ts";
import { PublishingProcess } from "../support/publishing-process.ts";
import { RedisCluster } from "../support/redis-cluster.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

let cluster: RedisCluster;
const nodes = new Nodes();
const workers: PublishingProcess[] = [];

beforeAll(async () => {
  cluster = await RedisCluster.start({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
}, 30_000);
afterEach(async () => {
  workers.splice(0).forEach((one) => one.kill());
  await nodes.close();
});
afterAll(() => cluster.stop());

let rooms = 0;

/** A room of no other test on each master, in their order. */
async function roomOnEach(): Promise<string[]> {
  const found = new Map<RedisServer, string>();
  while (found.size < cluster.masters.length) {
    rooms += 1;
    found.set(await cluster.masterOf(`{stream:r${rooms}}`), `stream:r${rooms}`);
  }
  return cluster.masters.map((master) => found.get(master)!);
}

function worker(from: number): PublishingProcess {
  // Any of the masters is enough.
  const url = cluster.masters[from % cluster.masters.length]!.url;
  const started = new PublishingProcess(from, { REDIS_URL: url });
  workers.push(started);
  return started;
}

interface Stage {
  readonly hubs: readonly [RunningNode, RunningNode];
  readonly rooms: readonly string[];
  /** One on each node; each is in all rooms. */
  readonly readers: readonly StockClient[];
}

async function stage(): Promise<Stage> {
  const start = () => nodes.start({ redisUrl: cluster.url });
  const hubs = [await start(), await start()] as const;
  const names = await roomOnEach();
  const readers = await Promise.all(hubs.map(({ url }) => nodes.client(url)));
  for (const reader of readers) for (const room of names) await reader.join(room);
  return { hubs, rooms: names, readers };
}

const of = ({ messages }: StockClient, room: string): StockClient["messages"] =>
  messages.filter(({ meta }) => meta.room === room);

/** Everyone has the same so many messages of a room, each once and in order, and was told of no gap. */
async function expectWhole(readers: readonly StockClient[], room: string, count: number): Promise<void> {
  await until(() => readers.every((reader) => of(reader, room).length >= count), 10_000);
  for (const reader of readers) {
    expect(of(reader, room).map(({ meta }) => meta.offset)).toEqual(range(1, count));
    expect(of(reader, room).map(({ data }) => data)).toEqual(of(readers[0]!, room).map(({ data }) => data));
    expect(reader.gaps).toEqual([]);
  }
}

describe("two nodes and worker processes on a cluster", () => {
  it("give all readers the same, whichever master has the room, and the workers end by themselves", async () => {
    const { hubs, rooms: names, readers } = await stage();
    const publishers = [worker(1), worker(2)];
    for (const room of names) for (const publisher of publishers) await publisher.start(room, 40);
    for (const room of names) for (const i of range(1, 20)) await hubs[i % 2]!.hub.publish(room, "n", i);
    await Promise.all(publishers.map((publisher) => publisher.answered(40 * names.length)));
    expect(await Promise.all(publishers.map((publisher) => publisher.end()))).toEqual([0, 0]);
    for (const room of names) await expectWhole(readers, room, 100);
    const { rooms: listed } = (await (await fetch(`${hubs[1].url}/rooms`)).json()) as {
      rooms: { room: string }[];
    };
    expect(listed.map(({ room }) => room)).toEqual(expect.arrayContaining([...names]));
  }, 60_000);

  it("carry stock emits and fetchSockets to each other, on every master", async () => {
    const { hubs, rooms: names, readers } = await stage();
    const heard: unknown[] = [];
    for (const { socket } of readers) socket.on("note", (room: unknown) => heard.push(room));
    for (const room of names) {
      await until(async () => (await hubs[0].hub.to(room).fetchSockets()).length === 2, 5_000);
      hubs[0].hub.to(room).emit("note", room);
      await until(() => heard.filter((one) => one === room).length === 2);
    }
    expect(heard).toHaveLength(6);
  });
});

describe("a master that is killed and started again", () => {
  it("costs no acknowledged message, and the rooms of the others nothing at all", async () => {
    const { hubs, rooms: names, readers } = await stage();
    const [lost, ...others] = names as [string, ...string[]];
    const publisher = worker(2);
    for (const room of names) await publisher.start(room, 50);
    await publisher.answered(150);
    await cluster.masters[0]!.kill();
    // The worker's retries have the same ids, so each of these is one message in the end.
    await publisher.start(lost, 50);
    const began = performance.now();
    const refused = await readers[0]!.ask("publish", { room: lost, event: "n", data: "away" });
    expect(refused).toMatchObject({ ok: false, error: { code: "unavailable", retryable: true } });
    expect(performance.now() - began).toBeLessThan(2_000);
    for (const room of others) {
      for (const i of range(1, 20)) await hubs[1].hub.publish(room, "n", i);
      await until(() => readers.every((reader) => of(reader, room).length === 70), 1_000);
    }
    expect((await fetch(`${hubs[0].url}/readyz`)).status).toBe(200);
    await cluster.masters[0]!.start();
    await publisher.answered(200);
    const { offset } = (await until(() => hubs[0].hub.publish(lost, "n", "last"), 10_000)) as {
      offset: number;
    };
    expect(offset).toBe(101);
    await expectWhole(readers, lost, 101);
    for (const room of others) await expectWhole(readers, room, 70);
    expect(await publisher.end()).toBe(0);
  }, 60_000);
});

describe("a slot that is moved while its room is published to", () => {
  it("costs nobody a message, and no publisher an error that lasts", async () => {
    const { hubs, rooms: names, readers } = await stage();
    const room = names[1]!;
    const publisher = worker(1);
    const [, from, to] = cluster.masters as [RedisServer, RedisServer, RedisServer];
    let count = 0;
    let moves: Promise<void> | undefined;
    while (count < 300 || moves !== undefined) {
      count += 20;
      await publisher.start(room, 20);
      await publisher.answered(count);
      if (count === 100)
        moves = cluster
          .move(slotOf(`{${room}}`), from, to)
          .then(() => cluster.move(slotOf(`{${room}}`), to, from))
          .finally(() => (moves = undefined));
    }
    await hubs[0].hub.publish(room, "n", "last");
    await expectWhole(readers, room, count + 1);
    expect(await publisher.end()).toBe(0);
  }, 60_000);
});
