import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { WebSocket } from "ws";
import type { ErrorBody } from "../../shared/errors.ts";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { Nodes, type RunningNode, type StockClient } from "../support/nodes.ts";
import { range } from "../support/core.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
let node: RunningNode;
/** Someone who does nothing wrong, and must notice nothing. */
let bystander: StockClient;
let client: StockClient;

beforeEach(async () => {
  // Handshakes that a test leaves unfinished are given up soon.
  node = await nodes.start({ limits: { handshakeMs: 500 } });
  bystander = await nodes.client(node.url);
  await bystander.join("chat:a");
  client = await nodes.client(node.url);
});

afterEach(async () => {
  await node.hub.publish("chat:a", "message", { text: "still here" });
  await until(() => bystander.messages.length === 1, 2_000);
  expect(bystander.socket.connected).toBe(true);
  await nodes.close();
});

const nestedText = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
const nested = (levels: number): unknown => JSON.parse(nestedText(levels));
const message = { room: "chat:a", event: "message", data: { text: "x" } };
const own = (text: string): unknown => JSON.parse(text);

/** What is wrong, and the code that it gets, over Socket.IO and HTTP alike. */
const WRONG: [string, unknown, string][] = [
  ["no body", undefined, "bad_request"],
  ["a text", "hello", "bad_request"],
  ["an empty object", {}, "bad_room"],
  ["a room without a kind", { ...message, room: "lobby" }, "bad_room"],
  ["a room with a space", { ...message, room: "chat:a b" }, "bad_room"],
  ["a room of 201 bytes", { ...message, room: `chat:${"x".repeat(201)}` }, "bad_room"],
  ["a room that is a number", { ...message, room: 7 }, "bad_room"],
  ["a reserved event", { ...message, event: "connect" }, "bad_event"],
  ["an event of the hub's own", { ...message, event: "room:gap" }, "bad_event"],
  ["an event called __proto__", { ...message, event: "__proto__" }, "bad_event"],
  ["no event", { room: "chat:a", data: 1 }, "bad_event"],
  ["no data", { room: "chat:a", event: "message" }, "bad_request"],
  ["65 KiB of data", { ...message, data: "x".repeat(65 * 1024) }, "too_large"],
  ["one byte more than 64 KiB", { ...message, data: "x".repeat(DEFAULT_LIMITS.dataBytes - 1) }, "too_large"],
  ["33 nested arrays", { ...message, data: nested(33) }, "bad_request"],
  ["an id with a space", { ...message, id: "a b" }, "bad_request"],
  ["an id that is a number", { ...message, id: 5 }, "bad_request"],
  ["ephemeral that is no boolean", { ...message, ephemeral: "yes" }, "bad_request"],
  ["a kept message without echo", { ...message, echo: false }, "bad_request"],
  [
    "a request inside __proto__",
    own('{"__proto__":{"room":"chat:a","event":"message","data":1}}'),
    "bad_room",
  ],
];

describe("over Socket.IO", () => {
  it.each(WRONG)("%s is refused with its code, in the reply and without one", async (_, input, code) => {
    const reply = await client.ask("publish", input);
    expect(reply).toMatchObject({
      ok: false,
      error: { code, retryable: false, message: expect.any(String) },
    });
    const failed = new Promise((resolve) => client.socket.once("hub:error", resolve));
    client.socket.emit("publish", input);
    expect(await failed).toMatchObject({ request: "publish", code });
    expect(client.socket.connected).toBe(true);
  });

  it("10,000 nested arrays are refused with bad_request", async () => {
    // Written by hand: the stock client itself can't encode them.
    const socket = new WebSocket(`${node.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
    const received: string[] = [];
    socket.on("message", (text: Buffer) => received.push(text.toString()));
    socket.once("open", () => socket.send("40"));
    await until(() => received.some((text) => text.startsWith("40")), 2_000);
    socket.send(`421["publish",{"room":"chat:a","event":"message","data":${nestedText(10_000)}}]`);
    const reply = await until(() => received.find((text) => text.startsWith("431")), 2_000);
    expect(JSON.parse(reply.slice(3))).toMatchObject([{ ok: false, error: { code: "bad_request" } }]);
    socket.terminate();
  });

  it("binary is refused, wherever it is", async () => {
    for (const data of [Buffer.from("x"), { a: [Buffer.from("x")] }]) {
      expect(await client.ask("publish", { ...message, data })).toMatchObject({
        ok: false,
        error: { code: "bad_request" },
      });
    }
  });

  it.each([
    ["join", { room: "chat:a", since: "nonsense" }],
    ["join", { room: "chat:a", since: { epoch: "e", offset: -1, id: "x" } }],
    ["join", { room: "chat:a", rewind: -1 }],
    ["join", { room: "chat:a", rewind: "5 minutes" }],
    ["history", { room: "chat:a", limit: 301 }],
    ["history", { room: "chat:a", limit: 0 }],
    ["history", { room: "chat:a", after: 1, before: 2 }],
    ["history", { room: "chat:a", after: "x" }],
    ["nonsense", {}],
    ["toString", {}],
    ["__proto__", {}],
    ["constructor", {}],
  ])("%s with %j is refused with bad_request", async (request_, input) => {
    expect(await client.ask(request_, input)).toMatchObject({ ok: false, error: { code: "bad_request" } });
  });

  it("an unknown request without acknowledgement is told by hub:error", async () => {
    const failed = new Promise((resolve) => client.socket.once("hub:error", resolve));
    client.socket.emit("nonsense", 1, 2, 3);
    expect(await failed).toEqual({ request: "nonsense", code: "bad_request", message: "unknown request" });
  });

  it("data with a key called __proto__ goes through as it is and pollutes nothing", async () => {
    await client.join("chat:b");
    const data = own('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
    await client.ask("publish", { room: "chat:b", event: "message", data });
    await until(() => client.messages.length === 1, 2_000);
    expect(JSON.stringify(client.messages[0]!.data)).toBe(JSON.stringify(data));
    expect({}).not.toHaveProperty("polluted");
  });

  it("fields that only the hub may set are ignored", async () => {
    await client.join("chat:b");
    const reply = await client.ask("publish", {
      ...message,
      room: "chat:b",
      offset: 99,
      epoch: "mine",
      time: 1,
      from: { user: "admin", name: "x" },
    });
    expect(reply).toMatchObject({ ok: true, offset: 1 });
    await until(() => client.messages.length === 1, 2_000);
    expect(client.messages[0]!.meta.from?.user).toMatch(/^guest:/);
  });

  it("the 129th room is refused with too_many_rooms, the 128th is not", async () => {
    for (const i of range(1, 128)) await client.join(`stream:r${i}`);
    expect(await client.ask("join", { room: "stream:r129" })).toMatchObject({
      ok: false,
      error: { code: "too_many_rooms", retryable: false },
    });
    expect(await client.ask("leave", { room: "stream:r1" })).toMatchObject({ ok: true });
    expect(await client.ask("join", { room: "stream:r129" })).toMatchObject({ ok: true });
  });

  it("the 61st message at once is refused with rate_limited, and the time that it says is enough", async () => {
    const replies = await Promise.all(
      range(1, 61).map((i) => client.ask("publish", { ...message, room: "chat:b", data: i })),
    );
    expect(replies.slice(0, 60).every(({ ok }) => ok)).toBe(true);
    const refused = replies[60] as { ok: false; error: ErrorBody };
    expect(refused).toMatchObject({
      ok: false,
      error: { code: "rate_limited", retryable: true, retryAfterMs: expect.any(Number) },
    });
    // The time itself is what is tested here.
    await new Promise((resolve) => setTimeout(resolve, refused.error.retryAfterMs));
    expect(await client.ask("publish", { ...message, room: "chat:b" })).toMatchObject({ ok: true });
  });

  it.each(["websocket", "polling"])(
    "a frame over 256 KiB closes its connection over %s",
    async (transport) => {
      const sender = await nodes.client(node.url, { transports: [transport], reconnection: false });
      const ended = new Promise((resolve) => sender.socket.once("disconnect", resolve));
      sender.socket.emit("publish", { ...message, data: "x".repeat(DEFAULT_LIMITS.frameBytes) });
      await ended;
    },
  );

  it("frames that are no Socket.IO cost their sender's connection alone", async () => {
    for (const garbage of [
      "42[",
      "4x",
      "99",
      '42["publish"',
      Buffer.alloc(100, 0xff),
      "451-[",
      `42${"[".repeat(50_000)}`,
    ]) {
      const socket = new WebSocket(`${node.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
      await new Promise((resolve) => socket.once("open", resolve));
      socket.send("40");
      await new Promise((resolve) => socket.once("message", resolve));
      const ended = new Promise((resolve) => socket.once("close", resolve));
      socket.send(garbage);
      socket.send("1");
      await ended;
    }
  });
});

describe("over HTTP", () => {
  it.each(WRONG)("%s is refused with the same code", async (_, input, code) => {
    const { room, ...body } = (input ?? {}) as { room?: unknown };
    const named = typeof input === "object" && input !== null && "room" in input;
    // A request that names no room at all has no address: what is wrong is the body then.
    const path = named ? encodeURIComponent(String(room)) : "chat%3Aa";
    const text = input === undefined ? "" : JSON.stringify(typeof input === "object" ? body : input);
    const reply = await fetch(`${node.url}/rooms/${path}/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: text,
    });
    const answer = (await reply.json()) as { error: ErrorBody };
    expect(answer.error.code).toBe(named || code !== "bad_room" ? code : "bad_event");
    expect(reply.status).toBe(code === "too_large" ? 413 : 400);
  });
});

describe("over HTTP, too,", () => {
  it("10,000 nested arrays are refused with bad_request", async () => {
    const reply = await fetch(`${node.url}/rooms/chat%3Aa/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"event":"message","data":${nestedText(10_000)}}`,
    });
    expect(await reply.json()).toMatchObject({ error: { code: "bad_request" } });
  });
});
