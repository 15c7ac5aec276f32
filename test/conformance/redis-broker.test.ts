import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll } from "@jest/globals";
import { RedisBroker } from "../../server/stores/redis/redis-broker.ts";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { PATIENT, RedisServer } from "../support/redis-server.ts";
import { describeBroker } from "./broker.ts";

let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.start();
});

afterAll(() => redis.stop());

describeBroker("Redis", async (options = {}) => {
  const limits = { ...DEFAULT_LIMITS, ...PATIENT, ...options };
  const [a, b] = [new RedisBroker({ url: redis.url, limits }), new RedisBroker({ url: redis.url, limits })];
  return {
    a,
    b,
    pass: (ms) => sleep(ms),
    close: async () => {
      await Promise.all([a.close(), b.close()]);
    },
  };
});
