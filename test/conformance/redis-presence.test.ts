import { afterAll, beforeAll } from "@jest/globals";
import { RedisServer } from "../support/redis-server.ts";
import { describePresence } from "./presence.ts";
import { twoPresenceNodes } from "./redis-presence-nodes.ts";

let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.start();
});

afterAll(() => redis.stop());

describePresence("Redis", () => twoPresenceNodes(redis.url));
