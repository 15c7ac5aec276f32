import { afterEach, describe, expect, it } from "@jest/globals";
import type { Published } from "../../shared/protocol.ts";
import type { Socket as NetSocket } from "node:net";
import { Nodes } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
afterEach(() => nodes.close());

describe.each([
  { transports: ["websocket"] },
  { transports: ["polling"] },
  { transports: ["polling", "websocket"] },
])("a stock client over $transports", (options) => {
  it("joins, publishes, hears itself, and leaves", async () => {
    const { url } = await nodes.start();
    const ana = await nodes.client(url, { ...options, auth: { username: "ana" } });
    const joined = await ana.join("chat:lobby");
    expect(joined).toMatchObject({
      ok: true,
      room: "chat:lobby",
      position: { offset: 0, id: "" },
      replayed: 0,
    });
    const published = await ana.ask<Published>("publish", {
      room: "chat:lobby",
      event: "message",
      data: { text: "hi" },
    });
    expect(published).toMatchObject({ ok: true, room: "chat:lobby", offset: 1, duplicate: false });
    await until(() => ana.messages.length === 1, 2_000);
    const [message] = ana.messages;
    expect(message).toMatchObject({ event: "message", data: { text: "hi" } });
    expect(message!.meta).toEqual({
      room: "chat:lobby",
      from: { user: expect.stringMatching(/^guest:.{16}$/), name: "ana" },
      id: published.ok && published.id,
      epoch: joined.position.epoch,
      offset: 1,
      time: expect.any(Number),
    });
    expect(await ana.ask("leave", { room: "chat:lobby" })).toEqual({ ok: true, room: "chat:lobby" });
    await ana.ask("publish", { room: "chat:lobby", event: "message", data: 2 });
    expect(ana.messages).toHaveLength(1);
  });

  it("gets the replay before the acknowledgement and then the live messages", async () => {
    const { hub, url } = await nodes.start();
    for (let i = 1; i <= 500; i += 1) await hub.publish("stream:a", "log", { i });
    const reader = await nodes.client(url, options);
    const reply = await reader.join("stream:a", { rewind: 400 });
    expect(reader.offsets()).toEqual(Array.from({ length: 400 }, (_, i) => 101 + i));
    expect(reply).toMatchObject({ replayed: 400, position: { offset: 500 }, firstOffset: 1 });
    await hub.publish("stream:a", "log", { i: 501 });
    await until(() => reader.messages.length === 401, 2_000);
    expect(reader.offsets().at(-1)).toBe(501);
  });
});

describe("a handshake", () => {
  it("joins the rooms of its URL", async () => {
    const { hub, url } = await nodes.start();
    await hub.publish("chat:a", "message", { text: "before" });
    const client = nodes.connecting(url, { query: { room: "chat:a", username: "ana", rewind: 50 } });
    const joined = await new Promise((resolve) => client.socket.on("room:joined", resolve));
    expect(joined).toMatchObject({ room: "chat:a", replayed: 1, position: { offset: 1 } });
    expect(client.messages).toHaveLength(1);
    const reply = await client.ask("publish", { room: "chat:a", event: "message", data: { text: "mine" } });
    expect(reply).toMatchObject({ offset: 2 });
    await until(() => client.messages.length === 2, 2_000);
    expect(client.messages[1]!.meta.from?.name).toBe("ana");
  });

  it("joins several rooms at once and tells which it can't", async () => {
    const { url } = await nodes.start();
    const client = nodes.connecting(url, { query: { room: ["chat:a", "nokind", "chat:b"] } });
    const told: unknown[] = [];
    client.socket.on("room:joined", ({ room }) => told.push(room));
    client.socket.on("room:closed", ({ room, code }) => told.push([room, code]));
    await until(() => told.length === 3, 2_000);
    expect(new Set(told.map(String))).toEqual(new Set(["chat:a", "chat:b", "nokind,bad_room"]));
  });

  it("resumes by auth.since, so that a reconnect of a stock client is a resume", async () => {
    const { hub, url } = await nodes.start();
    const since: Record<string, string> = {};
    const client = nodes.connecting(url, { query: { room: "stream:a" }, auth: (give) => give({ since }) });
    const replies: unknown[] = [];
    client.socket.on("room:joined", (reply) => replies.push(reply));
    client.socket.onAny((_, __, meta) => {
      if (meta?.offset !== undefined) since["stream:a"] = `${meta.epoch}.${meta.offset}.${meta.id}`;
    });
    await until(() => replies.length === 1, 2_000);
    await hub.publish("stream:a", "log", 1);
    await until(() => client.messages.length === 1, 2_000);
    client.socket.io.engine.close();
    await hub.publish("stream:a", "log", 2);
    await until(() => replies.length === 2, 5_000);
    expect(replies[1]).toMatchObject({ recovered: true, replayed: 1 });
    expect(client.offsets()).toEqual([1, 2]);
  });

  it.each([
    [{ username: "" }],
    [{ username: "a\u202eb" }],
    [{ username: "x".repeat(65) }],
    [{ username: 7 }],
    [{ guest: "short" }],
    [{ token: {} }],
  ])("is refused with bad_request for %j", async (auth) => {
    const { url } = await nodes.start();
    await expect(nodes.client(url, { auth })).rejects.toMatchObject({
      data: { code: "bad_request", retryable: false },
    });
  });

  it("makes one user of two connections of one guest, and another of each other guest", async () => {
    const { url } = await nodes.start();
    const guests = ["guest-number-1", "guest-number-1", "guest-number-2"];
    const clients = await Promise.all(guests.map((guest) => nodes.client(url, { auth: { guest } })));
    await clients[0]!.join("chat:a");
    for (const client of clients) await client.ask("publish", { room: "chat:a", event: "message", data: 1 });
    await until(() => clients[0]!.messages.length === 3, 2_000);
    const users = clients[0]!.messages.map(({ meta }) => meta.from?.user);
    expect(users[0]).toBe(users[1]);
    expect(users[0]).not.toBe(users[2]);
    expect(users[0]).not.toContain("guest-number");
  });
});

describe("the alias of older clients", () => {
  it("joins each room and answers with its name as it came", async () => {
    const { hub, url } = await nodes.start();
    const client = await nodes.client(url);
    const joined: string[] = [];
    client.socket.on("joined", (name: string) => joined.push(name));
    client.socket.emit("subscribe", "build-42", "chat:lobby");
    await until(() => joined.length === 2, 2_000);
    expect(joined.toSorted()).toEqual(["build-42", "chat:lobby"]);
    await hub.publish("stream:build-42", "log", 1);
    await until(() => client.messages.length === 1, 2_000);
  });
});

describe("an ephemeral message", () => {
  it("has no place, is not kept, and may leave its sender out", async () => {
    const { url } = await nodes.start();
    const [ana, ben] = [await nodes.client(url), await nodes.client(url)];
    await Promise.all([ana.join("chat:a"), ben.join("chat:a")]);
    const reply = await ana.ask("publish", {
      room: "chat:a",
      event: "typing",
      data: {},
      ephemeral: true,
      echo: false,
    });
    expect(reply).toEqual({ ok: true, room: "chat:a", id: expect.any(String), ephemeral: true });
    await until(() => ben.messages.length === 1, 2_000);
    expect(ben.messages[0]!.meta).toMatchObject({ ephemeral: true });
    expect(ben.messages[0]!.meta).not.toHaveProperty("offset");
    expect(ana.messages).toEqual([]);
    expect(await ana.ask("history", { room: "chat:a" })).toMatchObject({
      messages: [],
      position: { offset: 0 },
    });
  });
});

describe("closing", () => {
  it("of a node tells its clients, and a stock client comes back by itself when it runs again", async () => {
    const first = await nodes.start();
    const client = await nodes.client(first.url);
    const closing: unknown[] = [];
    const reasons: string[] = [];
    client.socket.on("hub:closing", (told) => closing.push(told));
    client.socket.on("disconnect", (reason) => reasons.push(reason));
    await first.hub.close();
    await until(() => reasons.length === 1, 2_000);
    expect(closing).toEqual([{ code: "shutdown", reconnect: true, delayMs: expect.any(Number) }]);
    expect(reasons).not.toContain("io server disconnect");
    const port = Number(new URL(first.url).port);
    await nodes.start({}, port);
    await until(() => client.socket.connected, 5_000);
  });

  it("of a slow reader frees its memory, and it comes back by itself and goes on", async () => {
    const { hub, url } = await nodes.start({ limits: { outboundBytes: 100_000 } });
    const since: Record<string, string> = {};
    const options = { transports: ["websocket"], query: { room: "stream:a" } };
    const client = nodes.connecting(url, { ...options, auth: (give) => give({ since }) });
    const replies: { recovered?: boolean }[] = [];
    client.socket.on("room:joined", (reply) => replies.push(reply));
    client.socket.onAny((_, __, meta) => {
      if (meta?.offset !== undefined) since["stream:a"] = `${meta.epoch}.${meta.offset}.${meta.id}`;
    });
    await until(() => replies.length === 1, 2_000);
    const { _socket: net } = (client.socket.io.engine.transport as unknown as { ws: { _socket: NetSocket } })
      .ws;
    net.pause();
    const serverSide = [...hub.io.sockets.sockets.values()][0]!;
    let sent = 0;
    while (serverSide.connected && sent < 2_000) {
      sent += 1;
      await hub.publish("stream:a", "log", "x".repeat(20_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(serverSide.connected).toBe(false);
    net.resume();
    await until(() => replies.length === 2 && client.messages.length === sent, 10_000);
    expect(replies[1]).toMatchObject({ recovered: true });
    expect(client.offsets()).toEqual(Array.from({ length: sent }, (_, i) => i + 1));
  });
});

describe("the program around the hub", () => {
  it("has requests of its own on the same namespace", async () => {
    const { hub, url } = await nodes.start();
    hub.io.on("connection", (socket) => socket.on("sum", (a: number, b: number, ack) => ack(a + b)));
    const client = await nodes.client(url);
    expect(await client.socket.emitWithAck("sum", 2, 3)).toBe(5);
  });

  it("emits to a room's members with stock code", async () => {
    const { hub, url } = await nodes.start();
    const client = await nodes.client(url);
    await client.join("chat:a");
    const heard = new Promise((resolve) => client.socket.once("stock", resolve));
    hub.to("chat:a").emit("stock", Buffer.from([1, 2]));
    expect(Buffer.from((await heard) as Buffer)).toEqual(Buffer.from([1, 2]));
    expect(await hub.to("chat:a").fetchSockets()).toHaveLength(1);
  });
});
