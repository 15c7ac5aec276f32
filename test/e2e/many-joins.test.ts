import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { range } from "../support/core.ts";
import { Nodes } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

const ROOMS = range(1, 100).map((i) => `stream:many-${i}`);
/** Of the proxy, each way. */
const DELAY_MS = 150;

const nodes = new Nodes();
let redis: RedisServer;
let proxy: FaultProxy;
beforeEach(async () => {
  redis = await RedisServer.start();
  proxy = await FaultProxy.start(redis.port);
});
afterEach(async () => {
  await proxy.set("pass");
  await nodes.close();
  await proxy.close();
  await redis.stop();
});

it("subscribes to all rooms that a client joins before Redis has answered for the first", async () => {
  const { url } = await nodes.start({ redisUrl: `redis://127.0.0.1:${proxy.port}` });
  const client = await nodes.client(url, { transports: ["websocket"] });
  await proxy.set("hang-answers");
  const joins = ROOMS.map((room) => client.join(room));
  await until(async () => (await channels()).length >= ROOMS.length);
  await proxy.set("pass");
  const replies = await Promise.all(joins);
  expect(replies.map(({ room }) => room)).toEqual(ROOMS);
});

it("lets a client join a hundred rooms in a few rounds to Redis, not in one after the other", async () => {
  const { url } = await nodes.start({ redisUrl: `redis://127.0.0.1:${proxy.port}` });
  const client = await nodes.client(url, { transports: ["websocket"] });
  proxy.delayMs = DELAY_MS;
  await proxy.set("delay");
  const began = performance.now();
  await Promise.all(ROOMS.map((room) => client.join(room)));
  const rounds = (performance.now() - began) / (2 * DELAY_MS);
  // To subscribe, and to read; what is over is what the machine itself needs.
  expect(rounds).toBeGreaterThanOrEqual(2);
  expect(rounds).toBeLessThan(6);
});

async function channels(): Promise<readonly unknown[]> {
  return (await redis.command("PUBSUB", "SHARDCHANNELS", "*many-*")) as readonly unknown[];
}
