import { afterEach, describe, expect, it } from "@jest/globals";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { Nodes, type RunningNode, type StockClient } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { range } from "../support/core.ts";
import { until } from "../support/wait.ts";

const ROOM = "stream:x";
const nodes = new Nodes();
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await nodes.close();
  for (const end of ends.splice(0).toReversed()) await end();
});

async function startRedis(): Promise<RedisServer> {
  const redis = await RedisServer.start();
  ends.push(() => redis.stop());
  return redis;
}

async function publish({ hub }: RunningNode, ...values: unknown[]): Promise<void> {
  for (const value of values) await until(() => hub.publish(ROOM, "log", value), 10_000);
}

/** What came after the only gap that a client was told. */
function afterGap(client: StockClient): StockClient["messages"] {
  expect(client.gaps).toHaveLength(1);
  return client.messages.filter(({ meta }) => meta.epoch === client.gaps[0]!.epoch);
}

describe("a node whose pushes are swallowed while all its requests are answered", () => {
  it("gives its members what they missed within 5 s, in order, again and again", async () => {
    const redis = await startRedis();
    const proxy = await FaultProxy.start(redis.port, true);
    ends.push(() => proxy.close());
    const deaf = await nodes.start({ redisUrl: `redis://127.0.0.1:${proxy.port}` });
    const other = await nodes.start({ redisUrl: redis.url });
    const client = await nodes.client(deaf.url);
    await client.join(ROOM);
    await publish(other, "before");
    await until(() => client.messages.length === 1);
    for (const round of range(1, 3)) {
      await proxy.set("drop-pushes");
      const before = client.messages.length;
      await publish(other, ...range(1, 10).map((i) => `${round}.${i}`));
      await until(() => client.messages.length === before + 10, 5_000);
      await proxy.set("pass");
      await publish(other, `heard ${round}`);
      await until(() => client.messages.length === before + 11, 5_000);
    }
    expect(client.offsets()).toEqual(range(1, 34));
    expect(client.gaps).toEqual([]);
    expect(proxy.lost).toBeGreaterThan(0);
  });
});

describe("a Redis that is emptied", () => {
  it("is noticed in a quiet room within 5 s, on every node", async () => {
    const redis = await startRedis();
    const [a, b] = await Promise.all([
      nodes.start({ redisUrl: redis.url }),
      nodes.start({ redisUrl: redis.url }),
    ]);
    const clients = [await nodes.client(a.url), await nodes.client(b.url)];
    for (const client of clients) await client.join(ROOM);
    await publish(a, 1, 2);
    await until(() => clients.every(({ messages }) => messages.length === 2));
    await redis.command("FLUSHALL");
    await until(() => clients.every(({ gaps }) => gaps.length === 1), 5_000);
    await publish(b, "new");
    await until(() => clients.every(({ messages }) => messages.length === 3));
    const { epoch } = clients[0]!.gaps[0]!;
    for (const client of clients) {
      expect(client.gaps).toEqual([{ room: ROOM, epoch, from: 1, to: 0, reason: "epoch_changed" }]);
      expect(afterGap(client)).toMatchObject([{ data: "new", meta: { offset: 1 } }]);
    }
  });
});

describe("a Redis that comes back from an older snapshot", () => {
  it.each(range(1, 2))("deceives no client, connected or away: round %i", async () => {
    const redis = await startRedis();
    const [a, b] = await Promise.all([
      nodes.start({ redisUrl: redis.url }),
      nodes.start({ redisUrl: redis.url }),
    ]);
    const connected = [await nodes.client(a.url), await nodes.client(b.url)];
    const [early, late] = [await nodes.client(a.url), await nodes.client(b.url)];
    for (const client of [...connected, early, late]) await client.join(ROOM);
    await publish(a, ...range(1, 20));
    await redis.command("SAVE");
    await publish(b, ...range(21, 70));
    await until(() => [...connected, early, late].every(({ messages }) => messages.length === 70));
    const { epoch, offset, id } = early.messages.at(-1)!.meta;
    const since = { epoch, offset, id };
    for (const { socket } of [early, late]) socket.disconnect();
    await redis.kill();
    await redis.start();

    const back = await nodes.client(b.url);
    const early2 = await until(() => back.join(ROOM, { since }), 10_000);
    expect(early2).toMatchObject({ recovered: false });
    // The log grows past the position of those who are still away.
    await publish(a, ...range(1, 60).map((i) => `new ${i}`));
    const again = await nodes.client(a.url);
    const late2 = await again.join(ROOM, { since });
    expect(late2).toMatchObject({ recovered: false, replayed: 80, position: { offset: 80 } });
    await until(() => connected.every((client) => client.messages.at(-1)?.data === "new 60"), 10_000);
    for (const client of connected) {
      const heard = afterGap(client);
      expect(client.gaps).toEqual([
        { room: ROOM, epoch: late2.position.epoch, from: 1, to: 20, reason: "rolled_back" },
      ]);
      expect(heard.map(({ meta }) => meta.offset)).toEqual(range(21, 80));
      expect(heard.map(({ data }) => data)).toEqual(range(1, 60).map((i) => `new ${i}`));
    }
    expect(late2.position.epoch).not.toBe(epoch);
    expect(again.offsets()).toEqual(range(1, 80));
  });
});
