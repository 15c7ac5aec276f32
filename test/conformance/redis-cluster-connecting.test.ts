import { describe, expect, test } from "@jest/globals";
import { RedisLog } from "../../server/stores/redis/redis-log.ts";
import { until } from "../support/wait.ts";
import { appendAll, freshRoom, offsetsOf, range } from "./broker-nodes.ts";
import { ClusterBench } from "./redis-cluster-nodes.ts";
import { timed } from "./redis-nodes.ts";

const bench = new ClusterBench();

const away = { code: "unavailable", retryable: true };

describe("the addresses of a cluster", () => {
  const errorAt = async (...urls: string[]): Promise<unknown> =>
    (await timed(bench.node({ url: urls.join(",") }))).error;

  test("may be any of its masters, and some of them may be away", async () => {
    const alone = await bench.redis();
    await alone.kill();
    const { broker } = await bench.node({ url: `${alone.url}, ${bench.masters[2].url}` });
    for (const room of await bench.roomOnEach()) await appendAll(broker, room, [1]);
    expect(await errorAt(alone.url, alone.url)).toMatchObject({
      ...away,
      message: expect.stringMatching(/ECONNREFUSED.*;.*ECONNREFUSED/),
    });
  });

  test("are refused together with what is no part of it", async () => {
    const [alone, other] = [await bench.redis(), await bench.cluster({ masters: 1 })];
    for (const urls of [
      [bench.shared.url, alone.url],
      [alone.url, bench.shared.url],
      [alone.url, alone.url],
    ]) {
      expect(await errorAt(...urls)).toMatchObject({
        ...away,
        message: `several addresses are for a Redis Cluster, and 127.0.0.1:${alone.port} is no part of one`,
      });
    }
    expect(await errorAt(bench.shared.url, other.url)).toMatchObject({
      message: `127.0.0.1:${bench.masters[0].port} and 127.0.0.1:${other.masters[0]!.port} belong to different Redis Clusters`,
    });
  });

  test("lead to all masters: rooms are on each of them, and all are listed", async () => {
    const { a, rooms } = await bench.spread();
    const sizes = await bench.shared.each((master) => master.command("DBSIZE"));
    expect(sizes.every((size) => Number(size) > 0)).toBe(true);
    await until(async () => {
      const listed = (await a.broker.rooms({ prefix: "", limit: 100 })).rooms.map(({ room }) => room);
      return rooms.every((room) => listed.includes(room));
    });
  });

  test("come with the user and password that are for all masters", async () => {
    const locked = await bench.cluster({ masters: 2 });
    await locked.each((master) => master.command("CONFIG", "SET", "requirepass", "right"));
    const at = (password: string): string => locked.url.replace("//", `//:${password}@`);
    expect(await errorAt(locked.url)).toMatchObject({
      message: expect.stringContaining("asks for a password"),
    });
    expect(await errorAt(at("wrong"))).toMatchObject({
      message: expect.stringContaining("refuses the password"),
    });
    const { broker } = await bench.node({ url: at("right") });
    for (const i of range(1, 10)) expect(await appendAll(broker, freshRoom(), [i])).toHaveLength(1);
  });

  test("that forget a script on one master get it again", async () => {
    const { a, b, rooms } = await bench.spread();
    await bench.masters[1].command("SCRIPT", "FLUSH");
    for (const room of rooms) await appendAll(a.broker, room, range(2, 20));
    await until(() => rooms.every((room) => b.ear.of(room).length === 20));
    for (const room of rooms) expect(offsetsOf(b.ear.of(room))).toEqual(range(1, 20));
  });
});

describe("room options in a cluster", () => {
  test("reach a publisher that comes while any one master is away", async () => {
    const roomOptions = { "stream:*": { messages: 3, ageMs: 60_000 } };
    const node = await bench.node(bench.shared, { roomOptions });
    const log = new RedisLog({ url: bench.shared.url, keepsProcess: false });
    bench.onEnd(() => log.close());
    await log.connect();
    await until(async () => JSON.stringify(await log.readRoomOptions()) === JSON.stringify(roomOptions));
    await node.broker.close();
    for (const master of bench.masters) {
      await master.kill();
      const other = bench.masters.find((one) => one !== master)!;
      const late = new RedisLog({ url: other.url, keepsProcess: false });
      try {
        await late.connect();
        expect(await late.readRoomOptions()).toEqual(roomOptions);
      } finally {
        await late.close();
        await master.start();
        await bench.shared.agreed();
      }
    }
  }, 60_000);
});
