import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll } from "@jest/globals";
import { RedisBroker } from "../../server/stores/redis/redis-broker.ts";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { RedisCluster } from "../support/redis-cluster.ts";
import { PATIENT } from "../support/redis-server.ts";
import { describeBroker } from "./broker.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
}, 30_000);

afterAll(() => cluster.stop());

describeBroker("Redis Cluster", async (options = {}) => {
  const limits = { ...DEFAULT_LIMITS, ...PATIENT, ...options };
  const [a, b] = [0, 1].map((i) => new RedisBroker({ url: cluster.masters[i]!.url, limits })) as [
    RedisBroker,
    RedisBroker,
  ];
  return {
    a,
    b,
    pass: (ms) => sleep(ms),
    close: async () => {
      await Promise.all([a.close(), b.close()]);
    },
  };
});
