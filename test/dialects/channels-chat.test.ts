import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { launchBrowser, openTab } from "../support/browser.ts";
import type { PlainSocket } from "../support/plain-socket.ts";
import { until } from "../support/wait.ts";
import { Stage } from "./support/stage.ts";

let stage: Stage;
let url: string;

beforeEach(async () => {
  stage = new Stage();
  ({ url } = await stage.serve());
});
afterEach(() => stage.close());

/** Enters a chat; resolves when it is in its room. */
async function enter(room: string, username: string, hub = url): Promise<PlainSocket> {
  const before = await stage.connections(hub, `chat:${room}`);
  const socket = stage.socket(`${hub}/chat/${room}/?username=${username}`);
  await until(async () => (await stage.connections(hub, `chat:${room}`)) > before);
  return socket;
}

function numbers(last: number): string[] {
  return Array.from({ length: last }, (_, i) => String(i + 1));
}

function texts({ frames }: PlainSocket): string[] {
  return frames.map((frame) => (frame as { message: string }).message);
}

/** Posts many messages as one request. */
async function post(hub: string, room: string, last: number): Promise<void> {
  const data = numbers(last).map((text) => ({ text }));
  await stage.publishAll(hub, `chat:${room}`, data);
}

async function members(hub: string, room: string): Promise<string[]> {
  const page = (await stage.get(`${hub}/rooms/chat%3A${room}/members`)) as { members: { name: string }[] };
  return page.members.map(({ name }) => name).toSorted();
}

describe("a Django Channels chat", () => {
  it("B1: whoever sends a text gets it back", async () => {
    const ana = await enter("0", "ana");
    ana.send("X");
    expect(texts(await ana.got(1))).toEqual(["X"]);
  });

  it("B2: a message goes to all in the room, its sender included", async () => {
    const all = [await enter("0", "ana"), await enter("0", "ben"), await enter("0", "cem")];
    all[1]!.send("hello");
    for (const socket of all) expect(texts(await socket.got(1))).toEqual(["hello"]);
  });

  it("B3: the address is the room, and no other room hears of it", async () => {
    const [zero, one] = [await enter("0", "ana"), await enter("1", "ana")];
    zero.send("in 0");
    one.send("in 1");
    expect(texts(await zero.got(1))).toEqual(["in 0"]);
    expect(texts(await one.got(1))).toEqual(["in 1"]);
  });

  it("B4: a frame has the text and the name that its sender gave in the address", async () => {
    const ana = await enter("0", "ana");
    ana.send("hello");
    expect((await ana.got(1)).frames).toEqual([{ message: "hello", username: "ana" }]);
    const stock = stage.stock(url, { query: { room: "chat:0", rewind: 1 } });
    const place = await new Promise((resolve) => stock.on("message", (_data, meta) => resolve(meta)));
    expect(place).toMatchObject({ room: "chat:0", offset: 1, from: { name: "ana" } });
  });

  it("B5: a socket without a name is told why it is turned away", async () => {
    const ended = await stage.socket(`${url}/chat/0/`).ended();
    expect(ended).toEqual({ code: 4401, reason: "unauthorized: a chat needs ?username=" });
  });

  it("B6: more processes share the load when a Redis is configured, and nothing else changes", async () => {
    const redis = await stage.redis();
    const hubs = [await stage.serve("--redis-url", redis.url), await stage.serve("--redis-url", redis.url)];
    const [ana, ben] = [await enter("0", "ana", hubs[0]!.url), await enter("0", "ben", hubs[1]!.url)];
    ana.send("from one");
    await ben.got(1);
    ben.send("from the other");
    for (const socket of [ana, ben])
      expect(texts(await socket.got(2))).toEqual(["from one", "from the other"]);
  });

  it("B6: without Redis the log is on disk and outlives its process", async () => {
    const options = ["--store", "disk", "--data", stage.folder()];
    const before = await stage.serve(...options);
    const ana = await enter("0", "ana", before.url);
    ana.send("kept");
    await ana.got(1);
    await before.end("SIGKILL");
    const { url: after } = await stage.serve(...options);
    const ben = stage.socket(`${after}/chat/0?username=ben&rewind=10`);
    expect((await ben.got(1)).frames).toEqual([{ message: "kept", username: "ana" }]);
  }, 60_000);

  it("B7: joining twice is joining once, and leaving a room that one is not in does nothing", async () => {
    const socket = stage.stock(url);
    const heard: unknown[] = [];
    socket.on("message", (data) => heard.push(data));
    for (const request of ["join", "join"]) {
      expect(await socket.emitWithAck(request, { room: "chat:0" })).toMatchObject({ ok: true });
    }
    expect(await socket.emitWithAck("leave", { room: "chat:1" })).toMatchObject({ ok: true });
    await stage.publish(url, "chat:0", "message", { text: "one" });
    await stage.publish(url, "chat:0", "message", { text: "two" });
    await until(() => heard.length === 2);
    expect(heard).toEqual([{ text: "one" }, { text: "two" }]);
  });

  it("B9: a reader that does not read for a while misses nothing of a burst", async () => {
    const slow = await enter("0", "slow");
    slow.socket.pause();
    await post(url, "0", 300);
    slow.socket.resume();
    expect(texts(await slow.got(300))).toEqual(numbers(300));
  });

  it("B9: a reader for whom too much waits is told so, and may come back", async () => {
    const slow = await enter("0", "slow");
    slow.socket.pause();
    await stage.flood(url, "chat:0");
    await until(async () => (await stage.connections(url, "chat:0")) === 0);
    slow.socket.resume();
    expect(await slow.ended()).toEqual({ code: 1013, reason: "slow" });
    expect(slow.frames.length).toBeLessThan(320);
  });

  it("B10: each reader has each message once and in one order, and one that is too large is refused", async () => {
    const [ana, ben] = [await enter("0", "ana"), await enter("0", "ben")];
    await Promise.all([post(url, "0", 100), post(url, "0", 100)]);
    await Promise.all([ana.got(200), ben.got(200)]);
    expect(ben.frames).toEqual(ana.frames);
    expect(texts(ana).toSorted()).toEqual([...numbers(100), ...numbers(100)].toSorted());
    ana.send("x".repeat(65_537));
    expect((await ana.got(201)).frames.at(-1)).toMatchObject({ error: { code: "too_large" } });
  });

  it("B11: a name that is not allowed is refused with a reason", async () => {
    for (const name of ["a-b_c.1", "ça:Ω/9", "a".repeat(195)]) {
      const socket = stage.socket(`${url}/chat/${encodeURIComponent(name)}?username=ana`);
      socket.socket.on("open", () => socket.send("in"));
      expect(texts(await socket.got(1))).toEqual(["in"]);
    }
    expect(await stage.socket(`${url}/chat/a%20b?username=ana`).ended()).toMatchObject({ code: 4400 });
    expect(await stage.socket(`${url}/chat/${"a".repeat(201)}?username=ana`).ended()).toMatchObject({
      code: 4400,
    });
  });

  it.each(["", "_private", ".hidden", "room:gap", "connect"])(
    "B12: an event that is none, or that is the hub's own, is refused: %j",
    async (event) => {
      const socket = stage.stock(url);
      const request = { room: "chat:0", event, data: null };
      expect(await socket.emitWithAck("publish", request)).toMatchObject({ error: { code: "bad_event" } });
    },
  );

  it("B13: a page of another origin is turned away, and a binary frame ends its own socket only", async () => {
    const foreign = stage.socket(`${url}/chat/0?username=eve`, { origin: "https://evil.example" });
    await until(() => foreign.status === 403);
    const [ana, ben] = [await enter("0", "ana"), await enter("0", "ben")];
    ana.socket.send(Buffer.from("x"));
    expect(await ana.ended()).toMatchObject({ code: 1003 });
    ben.send("still here");
    expect(texts(await ben.got(1))).toEqual(["still here"]);
  });

  it("B13: a page of an origin that is named gets in, and so does who has none", async () => {
    const { url: hub } = await stage.serve("--origins", "https://app.example");
    const origins = [{ origin: "https://app.example" }, {}, { origin: "https://evil.example" }];
    const sockets = origins.map((headers, i) => stage.socket(`${hub}/chat/0?username=u${i}`, headers));
    await until(() => sockets[2]!.status === 403);
    await until(async () => (await stage.connections(hub, "chat:0")) === 2);
  });

  it("B13: whoever may not join is closed with a code and a reason", async () => {
    const guarded = await stage.embed(`({ token }) => token === "member"`);
    const ended = await stage.socket(`${guarded}/chat/0?username=ana`).ended();
    expect(ended).toMatchObject({ code: 4403, reason: expect.stringContaining("forbidden") });
  });

  it("B14: what is sent after a connection to Redis was lost arrives", async () => {
    const redis = await stage.redis();
    const { url: hub } = await stage.serve("--redis-url", redis.url);
    const ana = await enter("0", "ana", hub);
    expect(await redis.command("CLIENT", "KILL", "TYPE", "pubsub")).toBeGreaterThan(0);
    ana.send("after");
    expect(texts(await ana.got(1))).toEqual(["after"]);
  });

  it("B-W1: who is in a room can be asked, on any process", async () => {
    const redis = await stage.redis();
    const hubs = [await stage.serve("--redis-url", redis.url), await stage.serve("--redis-url", redis.url)];
    await enter("0", "ana", hubs[0]!.url);
    await enter("0", "ben", hubs[1]!.url);
    for (const hub of hubs) expect(await members(hub.url, "0")).toEqual(["ana", "ben"]);
    const joined = (await stage
      .stock(hubs[0]!.url)
      .emitWithAck("join", { room: "chat:0", presence: true })) as { members: { name: string }[] };
    expect(joined.members.map(({ name }) => name)).toEqual(expect.arrayContaining(["ana", "ben"]));
  });

  it("B-W2: a reader that does not read takes nothing from the others", async () => {
    const [slow, ana] = [await enter("0", "slow"), await enter("0", "ana")];
    slow.socket.pause();
    await stage.flood(url, "chat:0");
    await post(url, "0", 500);
    expect(texts(await ana.got(820)).slice(320)).toEqual(numbers(500));
    expect(ana.closed).toBeUndefined();
  });

  it("B-W3: what is sent while the connection to Redis is away is not lost", async () => {
    const redis = await stage.redis();
    const hubs = [await stage.serve("--redis-url", redis.url), await stage.serve("--redis-url", redis.url)];
    const ana = await enter("0", "ana", hubs[0]!.url);
    for (let i = 0; i < 5; i += 1) {
      await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
      await post(hubs[1]!.url, "0", 20);
    }
    const all = [1, 2, 3, 4, 5].flatMap(() => numbers(20));
    expect(texts(await ana.got(100))).toEqual(all);
    await redis.command("FLUSHALL");
    expect((await ana.got(101)).frames.at(-1)).toMatchObject({ gap: { reason: "epoch_changed" } });
  }, 60_000);

  it("B-W4: the members of a process that died are soon gone", async () => {
    const redis = await stage.redis();
    const hubs = [await stage.serve("--redis-url", redis.url), await stage.serve("--redis-url", redis.url)];
    await enter("0", "ana", hubs[0]!.url);
    await enter("0", "ben", hubs[1]!.url);
    await hubs[0]!.end("SIGKILL");
    await until(async () => (await members(hubs[1]!.url, "0")).join() === "ben", 20_000, 200);
  }, 60_000);

  it("B-W5: names are held, texts have a limit, and who comes and goes is told", async () => {
    const ben = stage.stock(url, { auth: { username: "ben" } });
    const told: { joined: { name: string }[]; left: { name: string }[] }[] = [];
    ben.on("room:members", (change: (typeof told)[number]) => told.push(change));
    await ben.emitWithAck("join", { room: "chat:0", presence: true });
    const ana = await enter("0", "ana");
    const second = stage.socket(`${url}/chat/0?username=ANA`);
    expect(await second.ended()).toMatchObject({ code: 4409, reason: expect.stringContaining("name_taken") });
    ana.send("x".repeat(65_537));
    expect((await ana.got(1)).frames).toMatchObject([{ error: { code: "too_large" } }]);
    ana.send("kept");
    await ana.got(2);
    ana.socket.close();
    await until(() => told.some(({ left }) => left.some(({ name }) => name === "ana")));
    expect(told.flatMap(({ joined }) => joined.map(({ name }) => name))).toContain("ana");
    const late = stage.socket(`${url}/chat/0?username=cem&rewind=10`);
    expect((await late.got(1)).frames).toEqual([{ message: "kept", username: "ana" }]);
  });

  it("B-W6: a page's own address leads to its chat", async () => {
    const browser = await launchBrowser();
    try {
      const { page } = await openTab(browser);
      await page.goto(`${url}/chat/0`);
      const frame = await page.evaluate(
        () =>
          new Promise((resolve) => {
            const address = new URL("/chat/0?username=ana", location.href);
            address.protocol = address.protocol.replace("http", "ws");
            const socket = new WebSocket(address);
            socket.addEventListener("message", ({ data }) => resolve(data));
            socket.addEventListener("open", () => socket.send("from a page"));
          }),
      );
      expect(JSON.parse(String(frame))).toEqual({ message: "from a page", username: "ana" });
    } finally {
      await browser.close();
    }
  });
});
