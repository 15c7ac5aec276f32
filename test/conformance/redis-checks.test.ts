import { afterEach, describe, expect, test } from "@jest/globals";
import { checkServers } from "../../server/stores/redis/server-checks.ts";
import { until } from "../support/wait.ts";
import { appendAll, freshRoom } from "./broker-nodes.ts";
import { RedisBench } from "./redis-nodes.ts";

const bench = new RedisBench();
afterEach(() => bench.end());

const saving = ["--appendonly", "yes"];

/** What a node on a Redis warns of when it starts. */
async function warnings(url: string): Promise<string[]> {
  const texts: string[] = [];
  await bench.node({ url }, { onWarning: (text) => texts.push(text) });
  return texts;
}

describe("what a node says at its start of the Redis it is given", () => {
  test("is nothing if that keeps all it can, even if the last second may be lost", async () => {
    const redis = await bench.redis(
      ...saving,
      "--appendfsync",
      "everysec",
      "--maxmemory-policy",
      "noeviction",
    );
    expect(await warnings(redis.url)).toEqual([]);
  });

  test.each(["allkeys-lru", "volatile-ttl"])(
    "is that it drops rooms when full, if it does (%s)",
    async (policy) => {
      const redis = await bench.redis(...saving, "--maxmemory-policy", policy);
      expect(await warnings(redis.url)).toEqual([
        expect.stringMatching(
          new RegExp(
            `^Redis 127\\.0\\.0\\.1:${redis.port}: maxmemory-policy is ${policy}: .* epoch_changed or trimmed.* noeviction$`,
          ),
        ),
      ]);
    },
  );

  test("is that a restart loses all rooms, if nothing is saved", async () => {
    const redis = await bench.redis();
    expect(await warnings(redis.url)).toEqual([
      expect.stringMatching(
        /persistence is off: a restart of Redis loses all rooms, and .* told epoch_changed/,
      ),
    ]);
  });

  test("is that a crash loses what came since the last snapshot, if only those are saved", async () => {
    const redis = await bench.redis("--save", "3600 1");
    expect(await warnings(redis.url)).toEqual([
      expect.stringMatching(/only snapshots are saved: a crash of Redis loses what came since the last/),
    ]);
  });

  test("is that a failover may lose messages, if no replica is waited for", async () => {
    const redis = await bench.redis(...saving, "--repl-diskless-sync-delay", "0");
    const replica = await bench.redis(...saving);
    await replica.command("REPLICAOF", "127.0.0.1", String(redis.port));
    await until(async () => String(await redis.command("INFO", "replication")).includes("state=online"));
    expect(await warnings(redis.url)).toEqual([
      expect.stringContaining("min-replicas-to-write is 0: a failover may lose"),
    ]);
    await redis.command("CONFIG", "SET", "min-replicas-to-write", "1");
    expect(await warnings(redis.url)).toEqual([]);
  });

  test("names all masters of a cluster once, and those without whom nothing goes on", async () => {
    const cluster = await bench.cluster({ args: ["--cluster-require-full-coverage", "yes"] });
    await cluster.masters[1]!.command("CONFIG", "SET", "cluster-require-full-coverage", "no");
    const [a, b, c] = cluster.masters.map(({ port }) => `127.0.0.1:${port}`) as [string, string, string];
    const list = (...addresses: string[]): string => `Redis ${addresses.toSorted().join(", ")}: `;
    const texts = await warnings(cluster.url);
    expect(texts).toHaveLength(2);
    expect(texts).toContainEqual(expect.stringContaining(`${list(a, b, c)}persistence is off`));
    expect(texts).toContainEqual(
      expect.stringContaining(`${list(a, c)}cluster-require-full-coverage is yes`),
    );
  });
});

describe("an account that may not ask all", () => {
  const as = async (...rights: string[]): Promise<string> => {
    const redis = await bench.redis("--maxmemory-policy", "allkeys-lfu");
    await redis.command("ACL", "SETUSER", "node", "on", ">secret", "~*", "&*", "+@all", ...rights);
    return `redis://node:secret@127.0.0.1:${redis.port}`;
  };

  test("for CONFIG, finds out by INFO what that knows", async () => {
    const texts = await warnings(await as("-config"));
    expect(texts).toHaveLength(2);
    expect(texts).toContainEqual(expect.stringContaining("maxmemory-policy is allkeys-lfu"));
    expect(texts).toContainEqual(expect.stringMatching(/: appendonly is no: a crash .* if there is one/));
  });

  test("for INFO either, works and says that it can't tell", async () => {
    const texts: string[] = [];
    const url = await as("-config", "-info");
    const { broker } = await bench.node({ url }, { onWarning: (text) => texts.push(text) });
    expect(texts).toEqual([expect.stringContaining("whether rooms can be lost is not known")]);
    expect(texts[0]).not.toContain("secret");
    await appendAll(broker, freshRoom(), [1]);
  });

  test("for INFO alone, uses CONFIG", async () => {
    const texts = await warnings(await as("-info"));
    expect(texts).toHaveLength(2);
    expect(texts).toContainEqual(expect.stringContaining("persistence is off"));
  });
});

describe("a Redis that does not answer the checks", () => {
  test("keeps no node from starting for longer than a command may take", async () => {
    const connection = { address: "r:1", isCluster: false, run: () => new Promise(() => {}) };
    const began = performance.now();
    const texts = await checkServers([connection], 50);
    expect(performance.now() - began).toBeLessThan(500);
    expect(texts).toEqual([expect.stringMatching(/^Redis r:1: .*whether rooms can be lost is not known$/)]);
  });
});
