import { afterEach, describe, expect, it } from "@jest/globals";
import { IncomingMessage } from "node:http";
import type { Socket } from "socket.io";
import { io, type Socket as ClientSocket } from "socket.io-client";
import { Nodes } from "../support/nodes.ts";

const nodes = new Nodes();
const clients: ClientSocket[] = [];
afterEach(async () => {
  clients.splice(0).forEach((client) => client.io.engine.close());
  await nodes.close();
});

function connect(url: string, options: object): ClientSocket {
  const client = io(url, { ...options, forceNew: true, reconnection: false });
  clients.push(client);
  return client;
}

const COMING = { "x-who": "ana" };

describe.each([
  { transports: ["websocket"] },
  { transports: ["polling"] },
  { transports: ["polling", "websocket"] },
])("the request of a client over $transports", ({ transports }) => {
  const options = { transports, extraHeaders: COMING };

  it("is there for the program while it connects, and what describes it stays", async () => {
    const { hub, url } = await nodes.start();
    const seen: Socket["request"][] = [];
    hub.io.use((socket, next) => {
      seen.push(socket.request);
      next();
    });
    const connected = new Promise<Socket>((resolve) => {
      hub.io.on("connection", (socket) => {
        seen.push(socket.request);
        resolve(socket);
      });
    });
    connect(`${url}?name=value`, options);
    const socket = await connected;
    await new Promise(setImmediate);
    expect(seen.map((request) => request instanceof IncomingMessage)).toEqual([true, true]);
    expect(socket.request).not.toBe(seen[0]);
    for (const { headers, url: path, method, socket: net } of [seen[0]!, socket.request]) {
      expect(headers).toMatchObject(COMING);
      expect(path).toContain("name=value");
      expect(method).toBe("GET");
      expect(net).toBe(seen[0]!.socket);
    }
    expect(socket.handshake).toMatchObject({
      headers: COMING,
      query: { name: "value" },
      secure: false,
      xdomain: false,
    });
  });

  it("describes the client to a namespace that it connects to later", async () => {
    const { hub, url } = await nodes.start();
    const described = new Promise<Socket["handshake"]>((resolve) => {
      hub.io.of("/program").on("connection", ({ handshake }) => resolve(handshake));
    });
    const client = connect(`${url}?name=value`, options);
    await new Promise<void>((resolve) => client.on("connect", () => resolve()));
    client.io.socket("/program").connect();
    expect(await described).toMatchObject({
      headers: COMING,
      query: { name: "value" },
      secure: false,
      url: expect.stringContaining("name=value"),
    });
  });

  it("stays whole if the program has added something to it", async () => {
    const { hub, url } = await nodes.start();
    hub.io.engine.use((request: { session?: object }, _response: object, next: () => void) => {
      request.session = { user: "ana" };
      next();
    });
    const connected = new Promise<Socket>((resolve) => hub.io.on("connection", resolve));
    connect(url, options);
    const socket = await connected;
    await new Promise(setImmediate);
    expect(socket.request).toBeInstanceOf(IncomingMessage);
    expect(socket.request).toMatchObject({ session: { user: "ana" } });
  });
});

it("tells the program's middleware of a connection's end", async () => {
  const { hub, url } = await nodes.start();
  const ended = new Promise<void>((resolve) => {
    hub.io.engine.use((_request: object, response: NodeJS.EventEmitter, next: () => void) => {
      response.on("close", resolve);
      next();
    });
  });
  const client = connect(url, { transports: ["websocket"] });
  client.on("connect", () => client.disconnect());
  await ended;
});

it("leaves the hub's own listeners beside those that the program adds later", async () => {
  const { hub, url } = await nodes.start();
  const connected = new Promise<Socket>((resolve) => hub.io.on("connection", resolve));
  const client = connect(url, { transports: ["websocket"] });
  const socket = await connected;
  await new Promise(setImmediate);
  const heard: unknown[] = [];
  socket.onAny((event: string) => heard.push(event));
  const reply: unknown = await client.emitWithAck("join", { room: "chat:lobby" });
  expect([heard, reply]).toMatchObject([["join"], { ok: true, room: "chat:lobby" }]);
});
