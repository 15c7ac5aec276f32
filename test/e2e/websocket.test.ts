import { afterEach, describe, expect, it } from "@jest/globals";
import { WebSocket } from "ws";
import type { HubOptions } from "../../server/index.ts";
import { range } from "../support/core.ts";
import { Nodes, openSockets, type RunningNode } from "../support/nodes.ts";
import { PlainSocket } from "../support/plain-socket.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
const sockets: PlainSocket[] = [];
let node: RunningNode;

afterEach(async () => {
  sockets.splice(0).forEach(({ socket }) => socket.terminate());
  await nodes.close();
});

async function start(options: HubOptions = {}): Promise<void> {
  node = await nodes.start(options);
}

/** Connects; resolves when it is in its room. */
async function join(path: string, headers: Record<string, string> = {}): Promise<PlainSocket> {
  const room = path.includes("/logs/") ? "stream" : "chat";
  const name = /([^/?]+)\/?(\?.*)?$/.exec(path)![1]!;
  const before = await connections(`${room}:${decodeURIComponent(name)}`);
  const plain = await PlainSocket.open(node.url + path, { headers });
  sockets.push(plain);
  await until(async () => (await connections(`${room}:${decodeURIComponent(name)}`)) === before + 1);
  return plain;
}

function connect(path: string, headers: Record<string, string> = {}): PlainSocket {
  const plain = new PlainSocket(node.url + path, { headers });
  sockets.push(plain);
  return plain;
}

async function connections(room: string): Promise<number> {
  const reply = await fetch(`${node.url}/rooms/${encodeURIComponent(room)}`);
  return ((await reply.json()) as { connections: number }).connections;
}

describe("a log over a plain WebSocket", () => {
  it.each(["/ws/logs/a1-b2", "/ws/logs/a1-b2/"])("has each entry as one frame: %s", async (path) => {
    await start();
    const plain = await join(path);
    const body = new URLSearchParams({
      message: "hello",
      level: "ERROR",
      program: "p",
      timestamp: "2025-01-31T12:00:00Z",
    });
    expect((await fetch(`${node.url}/live/a1-b2`, { method: "POST", body })).status).toBe(204);
    await node.hub.publish("stream:a1-b2", "exit", { code: 0 });
    await node.hub.publish("stream:other", "log", { message: "not here" });
    await node.hub.publish("stream:a1-b2", "log", { message: "short" });
    await node.hub.publish("stream:a1-b2", "log", "a text");
    await plain.got(3);
    const usual = {
      level: "INFO",
      program: "api",
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
    };
    expect(plain.frames).toEqual([
      { message: "hello", level: "ERROR", program: "p", timestamp: "2025-01-31T12:00:00Z" },
      { message: "short", ...usual },
      { message: "a text", ...usual },
    ]);
  });

  it("begins where it is told to, and goes on with what is published meanwhile", async () => {
    await start();
    const publish = async (first: number, last: number): Promise<void> => {
      for (const n of range(first, last))
        await node.hub.publish("stream:a", "log", { message: String(n) }, { id: `m-${n}` });
    };
    await publish(1, 400);
    const { messages } = (await (
      await fetch(`${node.url}/rooms/stream%3Aa/messages?after=99&limit=1`)
    ).json()) as {
      messages: { epoch: string; offset: number; id: string }[];
    };
    const { epoch, offset, id } = messages[0]!;
    const since = connect(`/ws/logs/a?since=${epoch}.${offset}.${id}`);
    const rewind = connect("/ws/logs/a?rewind=50");
    await publish(401, 450);
    await since.got(350);
    await until(() => (rewind.frames.at(-1) as { message: string } | undefined)?.message === "450");
    const numbers = ({ frames }: PlainSocket): number[] =>
      frames.map((frame) => Number((frame as { message: string }).message));
    expect(numbers(since)).toEqual(range(101, 450));
    expect(numbers(rewind)).toEqual(range(numbers(rewind)[0]!, 450));
  });

  it("says that it can't go on where it is told to", async () => {
    await start();
    await node.hub.publish("stream:a", "log", { message: "1" });
    const plain = await join("/ws/logs/a?since=gone.4.x");
    await plain.got(2);
    expect(plain.frames).toMatchObject([
      { gap: { room: "stream:a", reason: "epoch_changed", to: 0 } },
      { message: "1" },
    ]);
  });

  it("takes nothing from its readers", async () => {
    await start();
    const plain = await join("/ws/logs/a");
    plain.send("hello");
    await node.hub.publish("stream:a", "log", { message: "1" });
    await plain.got(1);
    expect(plain.frames).toMatchObject([{ message: "1" }]);
  });
});

describe("a chat over a plain WebSocket", () => {
  it.each(["/ws/chat/lobby", "/chat/lobby", "/chat/lobby/"])(
    "brings each text to everyone, the sender included: %s",
    async (path) => {
      await start();
      const [ana, ben] = [await join(`${path}?username=ana`), await join(`${path}?username=ben`)];
      const stock = await nodes.client(node.url, { auth: { username: "cem" } });
      await stock.join("chat:lobby");
      const texts = ["hi", "", '{"a":1}', "é\u2028\0"];
      texts.forEach((text) => ana.send(text));
      await until(() => stock.messages.length === texts.length);
      await stock.ask("publish", { room: "chat:lobby", event: "typing", data: {}, ephemeral: true });
      await stock.ask("publish", { room: "chat:lobby", event: "message", data: { text: "hello" } });
      const all = [
        ...texts.map((message) => ({ message, username: "ana" })),
        { message: "hello", username: "cem" },
      ];
      await Promise.all([ana.got(5), ben.got(5)]);
      expect([ana.frames, ben.frames]).toEqual([all, all]);
      expect(stock.messages.map(({ event, data, meta }) => [event, data, meta.from!.name])).toEqual([
        ...texts.map((text) => ["message", { text }, "ana"]),
        ["typing", {}, "cem"],
        ["message", { text: "hello" }, "cem"],
      ]);
    },
  );

  it("lets nothing be lost that is said before its room is joined", async () => {
    await start();
    const plain = connect("/chat/lobby?username=ana");
    plain.socket.on("open", () => range(1, 20).forEach((n) => plain.send(String(n))));
    await plain.got(20);
    expect(plain.frames).toEqual(range(1, 20).map((n) => ({ message: String(n), username: "ana" })));
  });

  it("makes its users members of the room", async () => {
    await start();
    const ana = await join("/chat/lobby?username=ana");
    const taken = connect("/chat/lobby?username=ana");
    expect(await taken.ended()).toEqual({ code: 4409, reason: expect.stringContaining("name_taken") });
    ana.socket.close();
    await until(async () => (await connections("chat:lobby")) === 0);
  });

  it("tells its sender what is refused, and nobody else", async () => {
    await start({ limits: { messageBurst: 2, messagesPerSecond: 1, dataBytes: 100 } });
    const [ana, ben] = [await join("/chat/lobby?username=ana"), await join("/chat/lobby?username=ben")];
    ana.send("x".repeat(101));
    ["1", "2", "3"].forEach((text) => ana.send(text));
    await ana.got(4);
    const errors = ana.frames.flatMap((frame) => ("error" in (frame as object) ? [frame] : []));
    expect(errors).toMatchObject([
      { error: { code: "too_large" } },
      { error: { code: "rate_limited", retryable: true } },
    ]);
    await ben.got(2);
    expect(ben.frames).toEqual(["1", "2"].map((message) => ({ message, username: "ana" })));
  });
});

describe("a plain WebSocket that is refused", () => {
  it.each([
    ["/ws/chat/lobby", 4401],
    ["/chat/lobby?username=", 4401],
    ["/chat/lobby?username=%00", 4400],
    ["/ws/logs/a%20b", 4400],
    ["/ws/logs/%", 4400],
    ["/ws/logs/a?since=x", 4400],
    ["/ws/logs/a?rewind=x", 4400],
  ])("is told why: %s", async (path, code) => {
    await start();
    const { code: given, reason } = await connect(path).ended();
    expect(given).toBe(code);
    expect(reason).toMatch(/^(unauthorized|bad_request|bad_room): /);
  });

  it("has no rights that other transports do not give", async () => {
    await start({ authorize: ({ token }, capability) => token === "t" && capability !== "history" });
    expect(await connect("/ws/logs/a").ended()).toMatchObject({ code: 4403 });
    const headers = { authorization: "Bearer t" };
    expect(await connect("/ws/logs/a?rewind=1", headers).ended()).toMatchObject({ code: 4403 });
    const admitted = connect("/ws/logs/a", headers);
    await until(() => node.hub.publish("stream:a", "log", 1).then(() => admitted.frames.length > 0));
  });

  it.each([
    ["an origin that is not listed", { origin: "https://evil.example" }],
    ["a name that is not this machine's", { host: "evil.example" }],
  ])("gets HTTP's status for %s", async (_, headers) => {
    await start();
    const plain = connect("/ws/logs/a", headers);
    await until(() => plain.status === 403);
  });

  it.each([
    ["a binary frame", Buffer.from("x"), 1003],
    ["a frame over the limit", "x".repeat(262_145), 1009],
  ])("is one that sends %s; others notice nothing", async (_, frame, code) => {
    await start();
    const [bad, good] = [await join("/chat/lobby?username=bad"), await join("/chat/lobby?username=good")];
    bad.socket.send(frame);
    expect(await bad.ended()).toMatchObject({ code });
    good.send("still here");
    expect((await good.got(1)).frames).toEqual([{ message: "still here", username: "good" }]);
  });
});

describe("a plain WebSocket that takes nothing", () => {
  it("is closed at the limit of what may wait for it, while others notice nothing", async () => {
    await start({ limits: { stalledMs: 500 } });
    const [slow, other] = [await join("/ws/logs/a"), await join("/ws/logs/a")];
    const open = await openSockets(node);
    slow.socket.pause();
    const message = "x".repeat(60_000);
    for (const n of range(1, 400)) {
      await node.hub.publish("stream:a", "log", { message });
      if (n % 8 === 0) await other.got(n);
    }
    expect(await connections("stream:a")).toBe(1);
    await other.got(400);
    await until(async () => (await openSockets(node)) < open);
    slow.socket.resume();
    await slow.ended();
    expect(slow.frames.length).toBeLessThan(400);
  });

  it("is pinged, and closed if it does not answer", async () => {
    await start({ limits: { pingIntervalMs: 100, pingTimeoutMs: 300 } });
    const [silent, alive] = [await join("/ws/logs/a"), await join("/ws/logs/a")];
    silent.socket.pause();
    await until(async () => (await connections("stream:a")) === 1);
    expect(alive.socket.readyState).toBe(WebSocket.OPEN);
  });
});

describe("a stopping node", () => {
  it("says so to its plain WebSockets, and waits for none that is silent", async () => {
    await start();
    const [polite, silent] = [await join("/ws/logs/a"), await join("/ws/logs/a")];
    silent.socket.pause();
    await node.hub.publish("stream:a", "log", { message: "1" });
    const began = Date.now();
    await node.hub.close();
    expect(Date.now() - began).toBeLessThan(8_000);
    expect(await polite.ended()).toEqual({ code: 1012, reason: "shutdown" });
    expect(polite.frames).toHaveLength(1);
  });
});
