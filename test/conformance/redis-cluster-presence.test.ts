import { afterAll, beforeAll } from "@jest/globals";
import { RedisCluster } from "../support/redis-cluster.ts";
import { describePresence } from "./presence.ts";
import { twoPresenceNodes } from "./redis-presence-nodes.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
}, 30_000);

afterAll(() => cluster.stop());

describePresence("Redis Cluster", () => twoPresenceNodes(cluster.masters[0]!.url, cluster.masters[1]!.url));
