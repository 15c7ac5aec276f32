import { afterAll, beforeAll, describe } from "@jest/globals";
import { RedisServer } from "../support/redis-server.ts";
import { WIRES } from "../support/wires.ts";
import { describeTransport } from "./transport.ts";

describe("in one process", () => {
  for (const [name, wire] of Object.entries(WIRES)) describeTransport(name, wire);
});

describe("as one node of many", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  for (const [name, wire] of Object.entries(WIRES))
    describeTransport(name, wire, () => ({ redisUrl: redis.url }));
});
