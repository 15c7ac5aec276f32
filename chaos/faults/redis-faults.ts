import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../cluster.ts";
import type { FaultKind } from "./faults.ts";

/** How long there is publishing after the snapshot to which Redis is rolled back, in ms. */
const LOST_MS = 2_000;

/** What happens to the Redis that all nodes and workers share. */
export const REDIS_FAULTS: readonly FaultKind[] = [
  restart("redis-restart", "Redis is told to end, and started again", "SIGTERM"),
  restart("redis-kill", "kill -9 of Redis, which is started again", "SIGKILL"),
  {
    ...onRedis("redis-stop", "SIGSTOP of Redis: it accepts and answers nothing, then SIGCONT"),
    async run({ redis }, _node, lasts) {
      redis.signal("SIGSTOP");
      try {
        await lasts();
      } finally {
        redis.signal("SIGCONT");
      }
    },
  },
  {
    ...onRedis("redis-cut", "every way to Redis accepts and forwards nothing"),
    async run(cluster, _node, lasts) {
      const ways = waysToRedis(cluster);
      await Promise.all(ways.map((way) => way.set("hang")));
      try {
        await lasts();
      } finally {
        await Promise.all(ways.map((way) => way.set("pass")));
      }
    },
  },
  {
    ...onRedis("redis-rollback", "Redis is killed and comes back with what it had some seconds before"),
    losesData: true,
    async run({ redis }, _node, lasts, returning) {
      redis.snapshot();
      await sleep(LOST_MS);
      await redis.end("SIGKILL");
      redis.rollBack();
      await lasts();
      returning();
      await redis.start();
    },
  },
];

function onRedis(name: string, does: string): Omit<FaultKind, "run"> {
  return { name, does, strikes: "redis", losesData: false };
}

function restart(name: string, does: string, signal: "SIGTERM" | "SIGKILL"): FaultKind {
  return {
    ...onRedis(name, does),
    async run({ redis }, _node, lasts) {
      await redis.end(signal);
      await lasts();
      await redis.start();
    },
  };
}

function waysToRedis({ nodes, workers }: Cluster): readonly Cluster["workers"][] {
  return [workers, ...nodes.map(({ toRedis }) => toRedis)];
}
