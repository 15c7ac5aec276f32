import { afterEach, describe, expect, test } from "@jest/globals";
import type { RedisServer } from "../support/redis-server.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { until } from "../support/wait.ts";
import { appendAll, freshRoom, range } from "./broker-nodes.ts";
import { RedisBench } from "./redis-nodes.ts";

const bench = new RedisBench();
afterEach(() => bench.end());

async function proxied(redis: RedisServer): Promise<{ proxy: FaultProxy; url: string }> {
  const proxy = await FaultProxy.start(redis.port, { redis: true });
  bench.onEnd(() => proxy.close());
  return { proxy, url: `redis://127.0.0.1:${proxy.port}` };
}

describe("a connection that is answered and hears nothing", () => {
  test("is found within 5 s and made anew, once it hears again nothing more happens to it", async () => {
    const redis = await bench.redis();
    const { proxy, url } = await proxied(redis);
    const errors: unknown[] = [];
    const { broker, ear } = await bench.node(redis, { url, onError: (error) => errors.push(error) });
    const room = freshRoom();
    await broker.subscribe(room);
    await appendAll(broker, room, [1]);
    await until(() => ear.of(room).length === 1);
    await proxy.set("dropPushes");
    await appendAll(broker, room, [2]);
    await until(() => ear.interruptions === 1, 5_000);
    expect(ear.of(room)).toHaveLength(1);
    expect(proxy.dropped).toBeGreaterThan(1);
    expect(errors).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining("pushes nothing") }),
    );
    await proxy.set("pass");
    await until(() => appendAll(broker, room, [3]).then(() => ear.of(room).length > 1));
    const { interruptions } = ear;
    const probes = await calls(redis, "publish");
    await until(async () => (await calls(redis, "publish")) >= probes + 3);
    expect(ear.interruptions).toBe(interruptions);
  });

  test("is left alone where an ACL forbids the probe, and that is said once", async () => {
    const redis = await bench.redis();
    await redis.command(
      "ACL",
      "SETUSER",
      "node",
      "on",
      ">secret",
      "~*",
      "+@all",
      "resetchannels",
      "&socket.io*",
    );
    const errors: unknown[] = [];
    const url = `redis://node:secret@127.0.0.1:${redis.port}`;
    const { broker, ear } = await bench.node(redis, { url, onError: (error) => errors.push(error) });
    await until(() => errors.length === 1);
    const room = freshRoom();
    await broker.subscribe(room);
    await appendAll(broker, room, range(1, 3));
    await until(() => ear.of(room).length === 3);
    expect(ear.interruptions).toBe(0);
    expect(errors).toHaveLength(1);
  });
});

async function calls(redis: RedisServer, command: string): Promise<number> {
  const stats = String(await redis.command("INFO", "commandstats"));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}
