import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { readLog } from "../support/log-reader.ts";
import { Nodes } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
let redis: RedisServer;
let proxy: FaultProxy;

beforeEach(async () => {
  redis = await RedisServer.start();
  proxy = await FaultProxy.start(redis.port, true);
  await nodes.start({ redisUrl: `redis://127.0.0.1:${proxy.port}`, bridge: ["socketio"] });
});

afterEach(async () => {
  await nodes.close();
  await proxy.close();
  await redis.stop();
});

/** What Redis calls the newest connection on which the bridge listens: nothing else subscribes to patterns. */
async function ear(): Promise<string | undefined> {
  const clients = String(await redis.command("CLIENT", "LIST", "TYPE", "pubsub"));
  return [...clients.matchAll(/^id=(\d+) .* psub=1 /gm)].at(-1)?.[1];
}

/** Publishes until something has arrived. */
async function arrives(): Promise<void> {
  let sent = 0;
  await until(async () => {
    await redis.command("PUBLISH", "socketio_a", JSON.stringify({ name: "n", args: ["a", (sent += 1)] }));
    return (await readLog(redis.url, "stream:a")).length > 0;
  });
}

describe("a bridge takes messages again", () => {
  test("when its connection answers and pushes nothing: it is made anew", async () => {
    const before = await ear();
    expect(before).toBeDefined();
    await proxy.set("drop-pushes");
    await until(async () => ![undefined, before].includes(await ear()), 10_000);
    await proxy.set("pass");
    await arrives();
  });

  test("when its connection has gone silent: it is made anew", async () => {
    const before = await ear();
    const { accepted, open } = proxy;
    await proxy.set("hang");
    await until(() => proxy.accepted >= accepted + open, 20_000);
    await proxy.set("pass");
    await until(async () => ![undefined, before].includes(await ear()), 10_000);
    await arrives();
  });
});
