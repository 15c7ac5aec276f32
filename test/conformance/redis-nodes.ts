import { RedisBroker, type RedisBrokerOptions } from "../../server/stores/redis/redis-broker.ts";
import { RedisCluster, type RedisClusterOptions } from "../support/redis-cluster.ts";
import { RedisServer } from "../support/redis-server.ts";
import { Ear } from "./broker-nodes.ts";

export interface RedisNode {
  readonly broker: RedisBroker;
  readonly ear: Ear;
}

/** Gives tests their own Redis and nodes on it, and ends whatever a test began. */
export class RedisBench {
  readonly #ends: (() => Promise<unknown>)[] = [];

  async redis(...args: string[]): Promise<RedisServer> {
    const redis = await RedisServer.start(...args);
    this.onEnd(() => redis.stop());
    return redis;
  }

  async cluster(options?: RedisClusterOptions): Promise<RedisCluster> {
    const cluster = await RedisCluster.start(options);
    this.onEnd(() => cluster.stop());
    return cluster;
  }

  async node(redis: { readonly url: string }, options: Partial<RedisBrokerOptions> = {}): Promise<RedisNode> {
    const broker = new RedisBroker({ url: redis.url, ...options });
    this.onEnd(() => broker.close());
    const ear = new Ear();
    await broker.start(ear);
    return { broker, ear };
  }

  /** The last one begun is the first one ended. */
  onEnd(end: () => Promise<unknown>): void {
    this.#ends.unshift(end);
  }

  async end(): Promise<void> {
    for (const end of this.#ends.splice(0)) await end();
  }
}

/** How long something takes to settle, in ms, and what it was rejected with. */
export async function timed(promise: Promise<unknown>): Promise<{ ms: number; error: unknown }> {
  const started = performance.now();
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { ms: performance.now() - started, error };
}
