import { afterEach, describe, expect, test } from "@jest/globals";
import type { RedisServer } from "../support/redis-server.ts";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { until } from "../support/wait.ts";
import { appendAll, draft, freshRoom, KEEP, placed, type Placed, range } from "./broker-nodes.ts";
import { RedisBench, timed } from "./redis-nodes.ts";

const bench = new RedisBench();
afterEach(() => bench.end());

async function proxied(redis: RedisServer): Promise<{ proxy: FaultProxy; url: string }> {
  const proxy = await FaultProxy.start(redis.port, true);
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
    await proxy.set("drop-pushes");
    await appendAll(broker, room, [2]);
    await until(() => ear.interruptions === 1, 5_000);
    expect(ear.of(room)).toHaveLength(1);
    expect(proxy.lost).toBeGreaterThan(1);
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

describe("a Redis that hangs", () => {
  test("never gets what could not be written to it before it was given up", async () => {
    const redis = await bench.redis();
    const { broker } = await bench.node(redis);
    const away = { code: "unavailable", retryable: true };
    const rooms = range(1, 300).map(() => freshRoom());
    redis.hang();
    // Far more than fits into what lies between the two.
    const data = "x".repeat(65_000);
    const appends = rooms.map((room) => timed(broker.append(room, [draft(room, data)], KEEP)));
    for (const { ms, error } of await Promise.all(appends)) {
      expect(error).toMatchObject(away);
      expect(ms).toBeLessThan(2_500);
    }
    redis.wake();
    await until(() => broker.ping().then(() => true));
    const heads = await broker.heads(rooms);
    expect(heads.filter((head) => head !== undefined).length).toBeLessThan(rooms.length / 2);
  });
});

describe.each(["hang-answers", "hang-requests"] as const)("a connection that %s", (mode) => {
  test("makes appends unavailable within 2 s, and all is as before within 5 s after it works again", async () => {
    const redis = await bench.redis();
    const { proxy, url } = await proxied(redis);
    const { broker, ear } = await bench.node(redis, { url });
    const other = await bench.node(redis);
    const room = freshRoom();
    await broker.subscribe(room);
    await appendAll(broker, room, [1]);
    await proxy.set(mode);
    const message = draft(room, 2, { id: "key", keyed: true });
    const { ms, error } = await timed(broker.append(room, [message], KEEP));
    expect(error).toMatchObject({ code: "unavailable" });
    expect(ms).toBeLessThan(2_000);
    await proxy.set("pass");
    const [again] = await until(() => broker.append(room, [message], KEEP), 5_000);
    expect(placed(again).position).toMatchObject({ offset: 2, id: "key" });
    await until(async () => {
      const [{ position }] = (await appendAll(other.broker, room, [3])) as [Placed];
      return until(() => ear.of(room).some(({ offset }) => offset === position.offset), 500);
    }, 5_000);
  });
});

describe("ids after Redis came back from an older snapshot", () => {
  test("answer with places that are true, and those that were lost are new", async () => {
    const redis = await bench.redis();
    const { broker } = await bench.node(redis);
    const room = freshRoom();
    const [kept, lost] = [
      draft(room, "kept", { id: "kept", keyed: true }),
      draft(room, "lost", { id: "lost", keyed: true }),
    ];
    await appendAll(broker, room, [1]);
    const first = placed((await broker.append(room, [kept], KEEP))[0]);
    await redis.command("SAVE");
    await appendAll(broker, room, [3]);
    await broker.append(room, [lost], KEEP);
    await redis.kill();
    await redis.start();
    const { head } = await until(() => broker.renewEpoch(room, first.position.epoch));
    expect(head).toMatchObject({ offset: 2, id: "kept" });
    const results = (await broker.append(room, [kept, lost], KEEP)).map(placed);
    expect(results.map(({ duplicate, position }) => ({ duplicate, ...position }))).toEqual([
      { duplicate: true, epoch: head.epoch, offset: 2, id: "kept" },
      { duplicate: false, epoch: head.epoch, offset: 3, id: "lost" },
    ]);
    const checks = await broker.check(results.map(({ position: { offset } }) => ({ room, offset })));
    expect(checks.map(({ idAt }) => idAt)).toEqual(["kept", "lost"]);
  });
});

async function calls(redis: RedisServer, command: string): Promise<number> {
  const stats = String(await redis.command("INFO", "commandstats"));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}
