import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createShardedAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { Nodes, type StockClient } from "../support/nodes.ts";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { PublishingProcess } from "../support/publishing-process.ts";
import { PATIENT, RedisServer } from "../support/redis-server.ts";
import { range } from "../support/core.ts";
import { until } from "../support/wait.ts";

let redis: RedisServer;
const nodes = new Nodes();
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterEach(() => nodes.close());
afterAll(() => redis.stop());

const start = () =>
  nodes.start({
    redisUrl: redis.url,
    limits: { ...PATIENT, messagesPerSecond: 100_000, messageBurst: 100_000 },
  });
/** What all clients have in common: the ids, in their order. */
const idsOf = ({ messages }: StockClient): string[] => messages.map(({ meta }) => meta.id);

describe("two nodes", () => {
  it("give every client the same messages in the same order, whoever sends them where", async () => {
    const [a, b] = [await start(), await start()];
    const readers = await Promise.all([
      nodes.client(a.url, { transports: ["polling"] }),
      nodes.client(b.url, { transports: ["websocket"] }),
      nodes.client(b.url),
    ]);
    for (const reader of readers) await reader.join("stream:order");
    const senders = await Promise.all(range(1, 5).map((i) => nodes.client(i % 2 === 0 ? a.url : b.url)));
    const bySocket = senders.map(async (sender) => {
      for (const i of range(1, 80))
        await sender.ask("publish", { room: "stream:order", event: "log", data: i });
    });
    const byHttp = [a, b, a, b, a].map(async ({ url }) => {
      for (const i of range(1, 80)) {
        const body = JSON.stringify({ event: "log", data: i });
        const headers = { "content-type": "application/json" };
        const reply = await fetch(`${url}/rooms/stream%3Aorder/messages`, { method: "POST", body, headers });
        expect(reply.status).toBe(201);
      }
    });
    // 200 more from two worker processes, whose connection to Redis is reset again and again.
    const proxy = await FaultProxy.start(redis.port);
    const env = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
    const byWorker = [new PublishingProcess(1, env), new PublishingProcess(2, env)].map(async (worker) => {
      for (const wave of range(1, 4)) {
        await worker.start("stream:order", 25);
        proxy.resetAll();
        await worker.answered(wave * 25);
      }
      return worker.end();
    });
    await until(() => readers[0].messages.length > 300, 20_000);
    const late = await nodes.client(a.url);
    await late.join("stream:order", { rewind: 1_000 });
    expect((await Promise.all([...bySocket, ...byHttp, ...byWorker])).slice(10)).toEqual([0, 0]);
    expect(proxy.accepted).toBeGreaterThan(4);
    await proxy.close();
    await until(() => [...readers, late].every(({ messages }) => messages.length >= 1_000), 10_000);
    for (const reader of [...readers, late]) expect(reader.offsets()).toEqual(range(1, 1_000));
    for (const reader of [...readers, late]) expect(idsOf(reader)).toEqual(idsOf(readers[0]));
  });

  it("let a client go on where it stood, on either of them", async () => {
    const [a, b] = [await start(), await start()];
    const room = "stream:resume";
    const first = await nodes.client(a.url);
    await first.join(room);
    const publishing = (async () => {
      for (const i of range(1, 600)) await a.hub.publish(room, "log", i);
    })();
    await until(() => first.messages.length > 50, 5_000);
    first.socket.disconnect();
    const { meta } = first.messages.at(-1)!;
    await until(
      async () =>
        (
          (await (await fetch(`${b.url}/rooms/${encodeURIComponent(room)}`)).json()) as {
            position: { offset: number };
          }
        ).position.offset > 200,
      5_000,
    );
    const moved = await nodes.client(b.url);
    const reply = await moved.join(room, { since: { epoch: meta.epoch, offset: meta.offset, id: meta.id } });
    await publishing;
    expect(reply).toMatchObject({ recovered: true });
    await until(() => first.messages.length + moved.messages.length >= 600, 5_000);
    expect([...first.offsets(), ...moved.offsets()]).toEqual(range(1, 600));
  });

  it("carry stock emits, except, fetchSockets and disconnectSockets to each other's clients", async () => {
    const [a, b] = [await start(), await start()];
    const [near, far] = [await nodes.client(a.url), await nodes.client(b.url)];
    await Promise.all([near.join("chat:stock"), far.join("chat:stock")]);
    await until(async () => (await a.hub.to("chat:stock").fetchSockets()).length === 2, 5_000);
    const members = await a.hub.to("chat:stock").fetchSockets();
    expect(members.map(({ data }) => data)).toEqual([{}, {}]);
    const heard: string[] = [];
    near.socket.on("note", () => heard.push("near"));
    far.socket.on("note", () => heard.push("far"));
    a.hub.to("chat:stock").except(near.socket.id!).emit("note", 1);
    await until(() => heard.length === 1, 2_000);
    a.hub.to("chat:stock").disconnectSockets();
    await until(() => !near.socket.connected && !far.socket.connected, 2_000);
    expect(heard).toEqual(["far"]);
  });

  it("list the rooms of both", async () => {
    const [a, b] = [await start(), await start()];
    await a.hub.publish("user:list-1", "notice", 1);
    await b.hub.publish("user:list-2", "notice", 1);
    const { rooms } = (await (await fetch(`${b.url}/rooms?prefix=user:list`)).json()) as { rooms: unknown[] };
    expect(rooms).toEqual([
      { room: "user:list-1", offset: 1, connections: 0, members: 0 },
      { room: "user:list-2", offset: 1, connections: 0, members: 0 },
    ]);
  });
});

describe("a stock Socket.IO server on the same Redis, with nothing of roomcast in it", () => {
  it("gets the hub's messages, and its emits reach the hub's clients once, binary too", async () => {
    const { url, hub } = await start();
    const [pub, sub] = [createClient({ url: redis.url }), createClient({ url: redis.url })];
    for (const client of [pub, sub]) {
      client.on("error", () => {});
      await client.connect();
    }
    const http = createServer();
    const io = new Server(http, {
      adapter: createShardedAdapter(pub, sub, { subscriptionMode: "dynamic-private" }),
    });
    io.on("connection", (socket) => socket.on("enter", (room: string, done) => done(socket.join(room))));
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    try {
      const stock = await nodes.client(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
      const ours = await nodes.client(url);
      await ours.join("chat:x");
      await stock.socket.emitWithAck("enter", "{chat:x}");
      await until(async () => (await io.in("{chat:x}").fetchSockets()).length === 2, 5_000);
      await hub.publish("chat:x", "message", { text: "from the hub" });
      await until(() => stock.messages.length === 1 && ours.messages.length === 1, 5_000);
      expect(stock.messages).toEqual(ours.messages);

      const heard: unknown[][] = [];
      ours.socket.on("stock", (...args: unknown[]) => heard.push(args));
      io.to("{chat:x}").emit("stock", { text: "plain" });
      io.to("{chat:x}").emit("stock", Buffer.from([1, 2, 3]), "binary");
      await until(() => heard.length === 2, 5_000);
      expect(heard[0]).toEqual([{ text: "plain" }]);
      expect(Buffer.from(heard[1]![0] as Buffer)).toEqual(Buffer.from([1, 2, 3]));
      expect(await hub.to("chat:x").fetchSockets()).toHaveLength(2);
      await hub.publish("chat:x", "message", { text: "again" });
      await until(() => stock.messages.length === 2, 5_000);
      expect(heard).toHaveLength(2);
    } finally {
      await io.close();
      await pub.close();
      await sub.close();
    }
  });
});
