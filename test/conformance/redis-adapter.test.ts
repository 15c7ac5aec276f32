import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "@jest/globals";
import { createShardedAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io, type Socket } from "socket.io-client";
import type { RoomName } from "../../shared/room-name.ts";
import type { SocketAdapter } from "../../server/stores/redis/adapter.ts";
import { wireStart } from "../../server/stores/redis/wire.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";
import { appendAll, draft, freshRoom, offsetsOf } from "./broker-nodes.ts";
import { RedisBench, timed, type RedisNode } from "./redis-nodes.ts";

const bench = new RedisBench();
afterEach(() => bench.end());

interface Member {
  readonly server: Server;
  readonly client: Socket;
  /** Every event that the client got, with its arguments. */
  readonly got: unknown[][];
}

/** A Socket.IO server with one client, which is in the room's Socket.IO room. */
async function member(adapter: SocketAdapter, room: RoomName): Promise<Member> {
  const http = createServer().listen(0, "127.0.0.1");
  const server = new Server(http, { adapter, serveClient: false });
  server.on("connection", (socket) => void socket.join(`{${room}}`));
  bench.onEnd(() => server.close());
  await until(() => http.listening);
  const client = io(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
    transports: ["websocket"],
  });
  bench.onEnd(async () => client.close());
  const got: unknown[][] = [];
  client.onAny((...event: unknown[]) => void got.push(event));
  await until(() => client.connected);
  await until(async () => (await server.local.fetchSockets()).some(({ rooms }) => rooms.has(`{${room}}`)));
  return { server, client, got };
}

async function stockAdapter(redis: RedisServer): Promise<SocketAdapter> {
  const pub = createClient({ url: redis.url });
  const sub = pub.duplicate();
  for (const client of [pub, sub]) {
    client.on("error", () => {});
    await client.connect();
    // Waits for the answers that the adapter does not wait for.
    bench.onEnd(() => client.close());
  }
  return createShardedAdapter(pub, sub, { subscriptionMode: "dynamic-private" });
}

interface Both {
  readonly redis: RedisServer;
  readonly room: RoomName;
  readonly node: RedisNode;
  readonly stock: Member;
  readonly hub: Member;
}

/** A server on a hub's node. */
async function alone(): Promise<Omit<Both, "stock">> {
  const redis = await bench.redis();
  const node = await bench.node(redis);
  const room = freshRoom();
  return { redis, room, node, hub: await member(node.broker.socketAdapter(), room) };
}

/** A stock server and a server on a hub's node, in one Redis. */
async function both(): Promise<Both> {
  const { redis, room, node, hub } = await alone();
  const stock = await member(await stockAdapter(redis), room);
  // Each server's own channels, and the room's.
  await until(async () => (await stock.server.fetchSockets()).length === 2);
  await until(async () => String(await redis.command("PUBSUB", "SHARDNUMSUB", channel(room))).endsWith("2"));
  return { redis, room, node, stock, hub };
}

const channel = (room: RoomName): string => `socket.io#/#{${room}}#`;

describe("a stock server in the hub's Redis", () => {
  test("gives the room's messages to its own members, and the hub's node not twice", async () => {
    const { room, node, stock, hub } = await both();
    await node.broker.subscribe(room);
    const [{ position, time }] = (await appendAll(node.broker, room, [{ text: 'a "b"\u2028' }])) as [
      Awaited<ReturnType<typeof appendAll>>[0],
    ];
    await until(() => stock.got.length === 1);
    expect(stock.got).toEqual([["log", { text: 'a "b"\u2028' }, { room, ...position, time }]]);
    await until(() => node.ear.of(room).length === 1);
    stock.server.to(`{${room}}`).emit("after");
    await until(() => hub.got.length > 0);
    expect(hub.got).toEqual([["after"]]);
  });

  test("leaves out whom an ephemeral message leaves out; a hub's node leaves such messages to the hub", async () => {
    const { room, node, stock, hub } = await both();
    await node.broker.broadcast(room, { ...draft(room, 1), except: stock.client.id! });
    await node.broker.broadcast(room, draft(room, 2));
    await until(() => stock.got.length > 0);
    expect(stock.got).toEqual([
      ["log", 2, { room, id: expect.any(String), ephemeral: true, time: expect.any(Number) }],
    ]);
    await appendAll(node.broker, room, ["kept"]);
    stock.server.to(`{${room}}`).emit("after");
    await until(() => hub.got.length > 0);
    expect(hub.got).toEqual([["after"]]);
  });

  test("and the hub's node reach each other's members by emit, binary too, and find and disconnect them", async () => {
    const { room, stock, hub } = await both();
    hub.server.to(`{${room}}`).emit("from the hub", { n: 1 });
    stock.server.to(`{${room}}`).emit("from stock", Buffer.from([1, 2, 3]));
    await until(() => stock.got.length === 2 && hub.got.length === 2);
    for (const { got } of [stock, hub]) {
      expect(got).toContainEqual(["from the hub", { n: 1 }]);
      expect(got).toContainEqual(["from stock", Buffer.from([1, 2, 3])]);
    }
    const found = await hub.server.in(`{${room}}`).fetchSockets();
    expect(new Set(found.map(({ id }) => id))).toEqual(new Set([stock.client.id, hub.client.id]));
    hub.server.in(`{${room}}`).disconnectSockets();
    await until(() => !stock.client.connected && !hub.client.connected);
  });
});

describe("garbage on the channels of a node", () => {
  test("does no harm: 1,000 times at random, and what is made to hurt", async () => {
    // Without a stock server, which some of this keeps busy for minutes.
    const { redis, room, node, hub } = await alone();
    await node.broker.subscribe(room);
    await appendAll(node.broker, room, ["before"]);
    const whole = `${wireStart(room)}["x",1,{"id":"a","epoch":"e","offset":1,"time":1}]}}}`;
    const made = [
      "",
      "{",
      "null",
      "{}",
      "[]",
      '{"nsp":"/"}',
      '{"nsp":"/","type":3}',
      '{"nsp":"/","type":7,"data":null}',
      ...[0.1, 0.3, 0.5, 0.7, 0.9, 0.995].map((part) => whole.slice(0, whole.length * part)),
      whole.replace('"offset":1', '"offset":-1'),
      whole.replace(room, "chat:another"),
      whole.replace('"except":[]', '"except":[{"a":1}]'),
      "[".repeat(200_000),
      Buffer.alloc(200_000, 0x91),
      Buffer.alloc(200_000, 0x81),
      Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0xdb, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0xc1]),
      // Four GiB are announced, by themselves and as a value of what looks like a message.
      Buffer.from([0xc9, 0xff, 0xff, 0xff, 0xff, 0x00]),
      Buffer.from([0x81, 0xa1, 0x61, 0xc9, 0xff, 0xff, 0xff, 0xff, 0x00]),
      Buffer.from(whole).fill(0xff, whole.length - 20),
    ];
    const random = Array.from({ length: 1_000 }, (_, i) => randomBytes(i % 300));
    const publisher = createClient({ url: redis.url });
    bench.onEnd(async () => publisher.destroy());
    await publisher.connect();
    for (const garbage of [...made, ...random]) {
      await Promise.all(
        [channel(room), "socket.io#/#"].map((name) => publisher.sPublish(name, asArgument(garbage))),
      );
    }
    await appendAll(node.broker, room, ["after"]);
    await until(() => node.ear.of(room).length >= 2);
    expect(offsetsOf(node.ear.of(room))).toEqual([1, 2]);
    expect(node.ear.ephemerals).toEqual([]);
    expect(node.ear.interruptions).toBe(0);
    expect(node.broker.unreadable).toBeGreaterThan(5);
    hub.server.to(`{${room}}`).emit("still here");
    await until(() => hub.got.some(([event]) => event === "still here"));
  });
});

describe("the adapter while Redis is away", () => {
  test("reaches its own members, answers nothing false, and rejects nothing unseen", async () => {
    const redis = await bench.redis();
    const [node, other] = [await bench.node(redis), await bench.node(redis)];
    const room = freshRoom();
    const hub = await member(node.broker.socketAdapter(), room);
    await member(other.broker.socketAdapter(), room);
    await until(async () => (await hub.server.fetchSockets()).length === 2);
    await redis.kill();
    hub.server.to(`{${room}}`).emit("here");
    hub.server.serverSideEmit("ping");
    await until(() => hub.got.length === 1);
    const { error } = await timed(hub.server.timeout(100).fetchSockets());
    expect(String(error)).toContain("timeout reached");
    hub.client.close();
    const again = await timed(node.broker.subscribe(room));
    expect(again.error).toMatchObject({ code: "unavailable" });
    await redis.start();
    await until(() => node.broker.ping().then(() => true));
    await until(() => node.broker.subscribe(room).then(() => true));
    await appendAll(node.broker, room, ["back"]);
    await until(() => node.ear.of(room).length === 1);
  });
});

/** The package declares text for what may as well be bytes. */
function asArgument(garbage: string | Buffer): string {
  return garbage as string;
}
