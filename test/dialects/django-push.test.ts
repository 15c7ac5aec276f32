import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Socket } from "socket.io-client";
import { until } from "../support/wait.ts";
import { Stage } from "./support/stage.ts";

let stage: Stage;
let url: string;

beforeEach(async () => {
  stage = new Stage();
  ({ url } = await stage.serve());
});
afterEach(() => stage.close());

/** Connects and subscribes; gives the rooms that the server says are joined. */
async function subscribe(hub: string, ...rooms: readonly string[]): Promise<[Socket, string[]]> {
  const socket = stage.stock(hub);
  const joined: string[] = [];
  socket.on("joined", (room: string) => joined.push(room));
  socket.emit("subscribe", ...rooms);
  await until(() => joined.length === rooms.length);
  return [socket, joined];
}

/** Writes down all events of a name, without the hub's own argument. */
function hear(socket: Socket, event: string): unknown[] {
  const heard: unknown[] = [];
  socket.on(event, (data) => heard.push(data));
  return heard;
}

describe("a Django push server", () => {
  it("C1: a stream has the type and the headers of server-sent events", async () => {
    const stream = await stage.opened(`${url}/events/sse/`);
    expect(stream.head).toMatch(/^content-type: text\/event-stream\r$/im);
    expect(stream.head).toMatch(/^cache-control: no-cache\b/im);
  });

  it("C2: a worker's event comes to the browser by its name, with its text as JSON", async () => {
    const heard: string[] = [];
    let opened = false;
    const source = stage.source(`${url}/events/sse/`);
    source.addEventListener("stream-open", () => (opened = true));
    source.addEventListener("newmessage", ({ data }) => heard.push(data));
    await until(() => opened);
    await stage.publish(url, "stream:sse", "newmessage", "hello");
    await until(() => heard.length === 1);
    expect(heard).toEqual(['"hello"']);
  });

  it("C3: a channel for each user has that user's events only", async () => {
    const ana = await stage.opened(`${url}/events/user:ana/`);
    const ben = await stage.opened(`${url}/events/user:ben/`);
    await stage.publish(url, "user:ana", "notice", "for ana");
    await stage.publish(url, "user:ben", "notice", "for ben");
    await Promise.all([ana.got("notice"), ben.got("notice")]);
    expect([ana.data("notice"), ben.data("notice")]).toEqual([["for ana"], ["for ben"]]);
  });

  it("C4: a polyfill gets padding, and may give its last id in the query", async () => {
    const cursor = await stage.publish(url, "stream:sse", "note", 1);
    await stage.publish(url, "stream:sse", "note", 2);
    for (const name of ["lastEventId", "last_event_id", "evs_last_event_id"]) {
      const stream = stage.stream(`${url}/events/sse/?${name}=${cursor}&r=0.123`);
      await stream.got("note");
      expect(stream.body.startsWith(`:${" ".repeat(2048)}\n`)).toBe(true);
      expect(stream.data("note")).toEqual([2]);
    }
  });

  it("C5: subscribe joins each room and is answered by joined for each", async () => {
    expect((await subscribe(url, "r1", "r2", "r3"))[1].toSorted()).toEqual(["r1", "r2", "r3"]);
  });

  it("C6: what a worker publishes into Redis for a room comes to its browsers, at a position", async () => {
    const redis = await stage.redis();
    const { url: hub } = await stage.serve("--redis-url", redis.url, "--bridge", "socketio");
    const emitToChannel = (channel: string, event: string, ...data: unknown[]): Promise<unknown> =>
      redis.command(
        "PUBLISH",
        `socketio_${channel}`,
        JSON.stringify({ name: event, args: [channel, ...data] }),
      );
    const [[ana], [ben]] = [await subscribe(hub, "a"), await subscribe(hub, "a")];
    const [elsewhere] = await subscribe(hub, "b");
    const heard = [ana, ben, elsewhere].map((socket) => hear(socket, "my_event"));
    const offsets: number[] = [];
    ana.on("my_event", (_data, { offset }: { offset: number }) => offsets.push(offset));
    await emitToChannel("a", "my_event", "text");
    await emitToChannel("a", "my event", { n: 1 }, 2);
    await emitToChannel("b", "my_event");
    await until(() => heard.flat().length === 5);
    const both = ["text", [{ n: 1 }, 2]];
    expect(heard).toEqual([both, both, [null]]);
    expect(offsets).toEqual([1, 2]);
  });

  it("C7: rooms of different kinds share one connection", async () => {
    const [socket] = await subscribe(url, "status", "chat:lobby");
    const [states, messages] = [hear(socket, "state"), hear(socket, "message")];
    await stage.publish(url, "stream:status", "state", "up");
    await stage.publish(url, "chat:lobby", "message", { text: "hi" });
    await until(() => states.length + messages.length === 2);
    expect([states, messages]).toEqual([["up"], [{ text: "hi" }]]);
  });

  it("C8: leaving a room that one is not in is no error, and only an ephemeral event may leave out its sender", async () => {
    const [[ana], [ben]] = [await subscribe(url, "a"), await subscribe(url, "a")];
    expect(await ana.emitWithAck("leave", { room: "stream:never" })).toMatchObject({ ok: true });
    const [own, others] = [hear(ana, "wave"), hear(ben, "wave")];
    const wave = { room: "stream:a", event: "wave", ephemeral: true };
    await ana.emitWithAck("publish", { ...wave, data: 1, echo: false });
    await ana.emitWithAck("publish", { ...wave, data: 2 });
    await ana.emitWithAck("publish", { room: "stream:a", event: "wave", data: 3 });
    await until(() => own.length === 2 && others.length === 3);
    expect(new Set(own)).toEqual(new Set([2, 3]));
    expect(new Set(others)).toEqual(new Set([1, 2, 3]));
  });

  it("C9: what is unknown or not allowed is told as an error, also to an acknowledgement", async () => {
    const socket = stage.stock(url);
    const errors = hear(socket, "hub:error");
    socket.emit("no_such_method", {});
    await until(() => errors.length === 1);
    expect(errors).toMatchObject([{ request: "no_such_method", code: "bad_request" }]);
    const request = { room: "stream:a", event: "a b", data: null };
    expect(await socket.emitWithAck("publish", request)).toMatchObject({ error: { code: "bad_event" } });
    const polling = `${url}/socket.io/?EIO=4&transport=polling`;
    expect((await stage.curl(`${polling}&sid=unknown`)).status).toBe(400);
    expect((await stage.curl(polling)).body).toContain('"pingInterval":20000,"pingTimeout":8000');
  });

  it("C-W1: clients and rooms open no connections to Redis", async () => {
    const redis = await stage.redis();
    const { url: hub } = await stage.serve("--redis-url", redis.url);
    const count = async (): Promise<number> =>
      String(await redis.command("CLIENT", "LIST")).split("\n").length;
    await subscribe(hub, "a");
    const before = await count();
    for (let i = 0; i < 10; i += 1) await subscribe(hub, "a", `b${i}`, `c${i}`);
    expect(await count()).toBeLessThanOrEqual(before);
  });

  it("C-W2: each client has each message once, with more clients than processes", async () => {
    const redis = await stage.redis();
    const hubs = [await stage.serve("--redis-url", redis.url), await stage.serve("--redis-url", redis.url)];
    const heard: unknown[][] = [];
    for (const i of [0, 1, 0, 1, 0]) heard.push(hear((await subscribe(hubs[i]!.url, "a"))[0], "n"));
    for (const n of [1, 2, 3]) await stage.publish(hubs[n % 2]!.url, "stream:a", "n", n);
    await until(() => heard.every((one) => one.includes(3)));
    expect(heard).toEqual(heard.map(() => [1, 2, 3]));
  });

  it("C-W3: open streams keep no other request waiting", async () => {
    let opened = 0;
    for (let i = 0; i < 100; i += 1) {
      stage.source(`${url}/events/sse/`).addEventListener("stream-open", () => (opened += 1));
    }
    await until(() => opened === 100);
    expect((await stage.curl("-m", "5", `${url}/readyz`)).status).toBe(200);
  });

  it("C-W4: a stream goes on after the last id that its reader has", async () => {
    const stream = await stage.opened(`${url}/events/sse/`);
    await stage.publish(url, "stream:sse", "note", 1);
    const { id } = await stream.got("note");
    await stream.cut();
    await stage.publish(url, "stream:sse", "note", 2);
    const next = stage.stream(`${url}/events/sse/`, "-H", `Last-Event-ID: ${id!}`);
    await next.got("note");
    expect(next.data("note")).toEqual([2]);
  });

  it("C-W5: the rooms of one client are not those of another", async () => {
    const [[ana], [ben]] = [await subscribe(url, "a"), await subscribe(url, "b")];
    const [first, second] = [hear(ana, "n"), hear(ben, "n")];
    await stage.publish(url, "stream:a", "n", 1);
    await stage.publish(url, "stream:b", "n", 2);
    await until(() => first.length + second.length === 2);
    expect([first, second]).toEqual([[1], [2]]);
  });

  it("C-W6: the ids of sessions are long, and none can be told from another", async () => {
    const random = new Set<string>();
    for (let i = 0; i < 20; i += 1) {
      const { body } = await stage.curl(`${url}/socket.io/?EIO=4&transport=polling`);
      const [, id] = /"sid":"([\w-]{20})"/.exec(body)!;
      // The rest counts the connections.
      random.add(id!.slice(0, 16));
    }
    expect(random.size).toBe(20);
    const letters = new Set([...random].join(""));
    expect(letters.size).toBeGreaterThan(50);
  });

  it("C-W7: who may not join a room is refused, and so is who may not publish", async () => {
    const guarded = await stage.embed(`(who, capability, room) => room === "stream:open"`);
    const [socket] = await subscribe(guarded, "open");
    const errors = hear(socket, "hub:error");
    socket.emit("subscribe", "secret");
    await until(() => errors.length === 1);
    expect(errors).toMatchObject([{ request: "subscribe", code: "forbidden" }]);
    const request = { room: "stream:secret", event: "n", data: 1 };
    expect(await socket.emitWithAck("publish", request)).toMatchObject({ error: { code: "forbidden" } });
  });
});
