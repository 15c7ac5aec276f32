import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import type { Published, PublishReply } from "../../shared/protocol.ts";
import { range } from "../support/core.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { PublishingProcess } from "../support/publishing-process.ts";
import { PATIENT, RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

let redis: RedisServer;
let hubs: readonly RunningNode[];
const nodes = new Nodes();
beforeAll(async () => {
  redis = await RedisServer.start();
});
beforeEach(async () => {
  const limits = { ...PATIENT, messagesPerSecond: 1_000_000, messageBurst: 1_000_000 };
  hubs = await Promise.all(range(1, 3).map(() => nodes.start({ redisUrl: redis.url, limits })));
});
afterEach(() => nodes.close());
afterAll(() => redis.stop());

const hub = (i: number): RunningNode => hubs[i % hubs.length]!;

async function post(url: string, room: string, body: object): Promise<Published> {
  const reply = await fetch(`${url}/rooms/${encodeURIComponent(room)}/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(reply.status).toBe(201);
  return (await reply.json()) as Published;
}

/** Publishes over one socket, each message when the one before is acknowledged. */
async function sendBySocket(url: string, room: string, count: number): Promise<Published[]> {
  const sender = await nodes.client(url, { transports: ["websocket"] });
  const placed: Published[] = [];
  for (const data of range(1, count)) {
    const reply = await sender.ask<PublishReply>("publish", { room, event: "n", data });
    if (!reply.ok || !("offset" in reply)) throw new Error("not published", { cause: reply });
    placed.push(reply);
  }
  return placed;
}

const offsets = (placed: readonly Published[]): number[] => placed.map(({ offset }) => offset);

describe("three nodes", () => {
  it("give 64 publishers that race offsets without a hole, and all readers one order", async () => {
    const room = "stream:race";
    const readers = await Promise.all(range(0, 2).map((i) => nodes.client(hub(i).url)));
    for (const reader of readers) await reader.join(room);
    const workers = range(1, 8).map((from) => new PublishingProcess(from, { REDIS_URL: redis.url }));
    const bySocket = range(1, 28).map((i) => sendBySocket(hub(i).url, room, 80));
    const byHttp = range(1, 28).map(async (i) => {
      const placed: Published[] = [];
      for (const data of range(1, 80)) placed.push(await post(hub(i).url, room, { event: "n", data }));
      return placed;
    });
    for (const worker of workers) await worker.start(room, 80);
    const publishers = await Promise.all([...bySocket, ...byHttp]);
    for (const worker of workers) {
      await worker.answered(80);
      publishers.push(worker.results);
      expect(await worker.end()).toBe(0);
    }
    expect(publishers).toHaveLength(64);
    for (const placed of publishers)
      expect(offsets(placed)).toEqual(offsets(placed).toSorted((a, b) => a - b));
    expect(offsets(publishers.flat()).toSorted((a, b) => a - b)).toEqual(range(1, 5_120));
    await until(() => readers.every(({ messages }) => messages.length >= 5_120), 20_000);
    const [first, ...others] = readers.map(({ messages }) =>
      messages.map(({ meta }) => `${meta.offset} ${meta.id}`),
    );
    expect(readers[0]!.offsets()).toEqual(range(1, 5_120));
    for (const other of others) expect(other).toEqual(first);
  }, 120_000);

  it("make one message of the same id sent 64 times at once through all doors", async () => {
    const room = "stream:same";
    const reader = await nodes.client(hub(0).url);
    await reader.join(room);
    const sockets = await Promise.all(range(1, 16).map((i) => nodes.client(hub(i).url)));
    const same = { event: "n", data: "x", id: "order-17" };
    const replies = await Promise.all([
      ...sockets.flatMap((socket) => [1, 2].map(() => socket.ask<Published>("publish", { room, ...same }))),
      ...range(1, 32).map((i) => post(hub(i).url, room, same)),
    ]);
    expect(replies.filter((reply) => "offset" in reply && !reply.duplicate)).toHaveLength(1);
    expect(new Set(replies.map((reply) => "offset" in reply && reply.offset))).toEqual(new Set([1]));
    await post(hub(0).url, room, { event: "n", data: "last" });
    await until(() => reader.messages.length >= 2);
    expect(reader.messages.map(({ data }) => data)).toEqual(["x", "last"]);
  });
});
