import { once } from "node:events";
import { createServer, request as forward, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { connect, HubError, type Client, type ConnectOptions } from "../../client/sdk/index.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
let node: RunningNode;
let clients: Client[];

beforeEach(async () => {
  clients = [];
  node = await nodes.start();
});

afterEach(async () => {
  clients.forEach((client) => client.close());
  await nodes.close();
});

function open(url: string, options?: ConnectOptions): Client {
  const client = connect(url, options);
  clients.push(client);
  return client;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HubError);
  return (error as HubError).code;
}

/** A proxy that knows nothing of WebSockets. */
async function withoutUpgrades(target: string): Promise<Server> {
  const server = createServer((request, response) => {
    const { method, headers, url } = request;
    const passed = forward(new URL(url!, target), { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    passed.on("error", () => response.destroy());
    request.pipe(passed);
  });
  server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 501 Not Implemented\r\n\r\n"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

describe("the client", () => {
  test("rejects a join and a message when the hub refuses the connection itself", async () => {
    const client = open(node.url, { username: "\u0007" });
    const room = client.room("chat:lobby");
    const requests = [room.join(), room.publish("message", { text: "hello" })];
    expect(await Promise.all(requests.map(codeOf))).toEqual(["bad_request", "bad_request"]);
    expect(client.socket.active).toBe(false);
    expect(await codeOf(room.join())).toBe("bad_request");
  });

  test("rejects what waits for a connection, and all that comes later, when it is closed", async () => {
    const client = open("http://127.0.0.1:9");
    const room = client.room("chat:lobby");
    const requests = [room.join(), room.publish("message", { text: "hello" })];
    const codes = Promise.all(requests.map(codeOf));
    await new Promise((resolve) => client.socket.io.once("error", resolve));
    client.close();
    expect(await codes).toEqual(["bad_request", "bad_request"]);
    expect(await codeOf(room.publish("message", { text: "later" }))).toBe("bad_request");
  });

  test("never sends what it has rejected", async () => {
    const client = open(node.url);
    const room = client.room("chat:lobby");
    const rejected = codeOf(room.publish("message", { text: "never" }));
    client.close();
    expect(await rejected).toBe("bad_request");
    client.socket.connect();
    await new Promise<void>((resolve) => client.socket.once("connect", resolve));
    await open(node.url).room("chat:lobby").publish("message", { text: "again" });
    const reader = await nodes.client(node.url);
    await reader.join("chat:lobby", { rewind: 10 });
    expect(reader.messages.map(({ data }) => data)).toEqual([{ text: "again" }]);
  });

  test("reads and writes by polling where something on the way takes no WebSockets", async () => {
    const proxy = await withoutUpgrades(node.url);
    const { port } = proxy.address() as AddressInfo;
    try {
      const client = open(`http://127.0.0.1:${port}`, { username: "ana" });
      const room = client.room("chat:lobby");
      const heard: unknown[] = [];
      room.on("message", (data, meta) => heard.push(data, meta.from?.name));
      await room.join();
      await room.publish("message", { text: "hello" });
      await until(() => heard.length === 2);
      expect(heard).toEqual([{ text: "hello" }, "ana"]);
      expect(client.socket.io.engine.transport.name).toBe("polling");
      client.close();
      // It says so in one more request.
      await until(() => node.hub.io.engine.clientsCount === 0);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});
