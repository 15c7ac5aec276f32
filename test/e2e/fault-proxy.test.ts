import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createClient } from "redis";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

let proxy: FaultProxy | undefined;
afterEach(() => proxy?.close());

describe("a proxy in front of a server that repeats what it hears", () => {
  let server: Server;
  let heard = "";
  let client: Socket;
  let answered = "";
  beforeEach(async () => {
    heard = "";
    answered = "";
    server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (piece) => {
        heard += String(piece);
        socket.write(piece);
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    proxy = await FaultProxy.start((server.address() as AddressInfo).port);
    client = connect(proxy.port, "127.0.0.1");
    client.on("error", () => {});
    client.on("data", (piece) => (answered += String(piece)));
    client.write("a");
    await until(() => answered === "a");
  });
  afterEach(() => {
    client.destroy();
    server.close();
  });

  test("holds what goes one way, and forwards it in order afterwards", async () => {
    await proxy!.set("hang-answers");
    client.write("b");
    await until(() => heard === "ab");
    expect(answered).toBe("a");
    await proxy!.set("hang-requests");
    await until(() => answered === "ab");
    client.write("c");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toBe("ab");
    await proxy!.set("pass");
    await until(() => answered === "abc");
  });

  test("resets connections, also half-closed ones, and ends with none left", async () => {
    const ended = new Promise((resolve) => client.once("close", resolve));
    client.end("bye");
    proxy!.resetAll();
    await ended;
    await proxy!.close();
    await until(() => proxy!.open === 0);
  });
});

test("a proxy in front of Redis drops messages and passes answers, confirmations too", async () => {
  const redis = await RedisServer.start();
  proxy = await FaultProxy.start(redis.port, true);
  const client = createClient({ url: `redis://127.0.0.1:${proxy.port}` });
  client.on("error", () => {});
  await client.connect();
  const heard: string[] = [];
  const listener = (message: string): void => void heard.push(message);
  try {
    await proxy.set("drop-pushes");
    await client.sSubscribe("room", listener);
    await redis.command("SPUBLISH", "room", "one");
    await until(() => proxy!.lost === 1);
    expect(await client.ping()).toBe("PONG");
    await proxy.set("pass");
    await redis.command("SPUBLISH", "room", "two");
    await until(() => heard.length === 1);
    expect(heard).toEqual(["two"]);
  } finally {
    client.destroy();
    await redis.stop();
  }
});
