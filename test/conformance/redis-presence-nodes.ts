import { RedisBroker, type RedisBrokerOptions } from "../../server/stores/redis/redis-broker.ts";
import type { LeaseTimes } from "../../server/stores/redis/node-leases.ts";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { PATIENT } from "../support/redis-server.ts";
import { Ear } from "./broker-nodes.ts";
import { MembersEar, type PresenceNode, type PresenceNodes } from "./presence-nodes.ts";

export interface RedisPresenceNode extends PresenceNode {
  readonly broker: RedisBroker;
}

/** Starts a node on a Redis; closing its broker closes it. */
export async function presenceNode(
  options: RedisBrokerOptions,
  times?: Partial<LeaseTimes>,
): Promise<RedisPresenceNode> {
  const [broker, ear] = [new RedisBroker(options), new MembersEar()];
  try {
    await broker.start(new Ear());
    const store = broker.presence(times);
    await store.start(ear);
    return { broker, store, ear, hold: (room) => broker.subscribe(room) };
  } catch (error) {
    await broker.close();
    throw error;
  }
}

/** Two nodes, on a Redis or on two masters of a cluster. */
export async function twoPresenceNodes(urlOfA: string, urlOfB: string = urlOfA): Promise<PresenceNodes> {
  const times = { tickMs: 100, leaseMs: 3_000, closingMs: 300 };
  const limits = { ...DEFAULT_LIMITS, ...PATIENT };
  const a = await presenceNode({ url: urlOfA, limits }, times);
  const b = await presenceNode({ url: urlOfB, limits }, times);
  return {
    a,
    b,
    close: async () => {
      await Promise.all([a.broker.close(), b.broker.close()]);
    },
  };
}
