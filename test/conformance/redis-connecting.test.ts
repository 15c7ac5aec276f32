import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "@jest/globals";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { RedisBroker } from "../../server/stores/redis/redis-broker.ts";
import { RedisLog } from "../../server/stores/redis/redis-log.ts";
import { until } from "../support/wait.ts";
import { appendAll, draft, Ear, freshRoom, KEEP, placed } from "./broker-nodes.ts";
import { RedisBench, timed } from "./redis-nodes.ts";

const bench = new RedisBench();
afterEach(() => bench.end());

const start = (url: string): Promise<{ ms: number; error: unknown }> =>
  timed(new RedisBroker({ url }).start(new Ear()));

describe("connecting to Redis", () => {
  test("fails fast where there is none, and names the server without the password", async () => {
    const redis = await bench.redis();
    await redis.kill();
    const { ms, error } = await start(`redis://ana:secret@127.0.0.1:${redis.port}/3`);
    expect(error).toMatchObject({ code: "unavailable", message: expect.stringContaining("ECONNREFUSED") });
    expect((error as Error).message).toContain(`redis://ana:***@127.0.0.1:${redis.port}/3`);
    expect((error as Error).message).not.toContain("secret");
    expect(ms).toBeLessThan(1_000);
  });

  test("says what is wrong with the password", async () => {
    const locked = await bench.redis("--requirepass", "right");
    const message = async (url: string): Promise<string> => ((await start(url)).error as Error).message;
    expect(await message(`redis://:wrong@127.0.0.1:${locked.port}`)).toContain("refuses the password");
    expect(await message(locked.url)).toContain("asks for a password");
    expect(await message(`redis://:wrong@127.0.0.1:${locked.port}`)).toContain(
      `redis://:***@127.0.0.1:${locked.port}`,
    );
    const broker = new RedisBroker({ url: `redis://:right@127.0.0.1:${locked.port}` });
    bench.onEnd(() => broker.close());
    await broker.start(new Ear());
    await broker.ping();
  });

  test("refuses what is no URL of Redis", async () => {
    for (const url of ["http://127.0.0.1:1", "nonsense", ""]) {
      expect((await start(url)).error).toMatchObject({ code: "unavailable" });
    }
  });

  test("refuses a Redis that is too old, and says so", async () => {
    const old = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (data) => {
        for (const [command] of data.toString().matchAll(/(HELLO|CLIENT|INFO)\r\n/g))
          socket.write(oldReply(command.trim()));
      });
    }).listen(0, "127.0.0.1");
    await once(old, "listening");
    bench.onEnd(async () => old.close());
    const { error } = await start(`redis://127.0.0.1:${(old.address() as AddressInfo).port}`);
    expect(error).toMatchObject({
      message: expect.stringMatching(/has version 6\.2\.14; roomcast needs 7 or newer/),
    });
  });
});

describe("a connection that went silent", () => {
  test("is replaced within 7 s, even while requests keep coming", async () => {
    const redis = await bench.redis();
    const proxy = await silentProxy(redis.port);
    bench.onEnd(() => proxy.close());
    const broker = new RedisBroker({ url: `redis://127.0.0.1:${proxy.port}` });
    bench.onEnd(() => broker.close());
    const ear = new Ear();
    await broker.start(ear);
    const room = freshRoom();
    await broker.subscribe(room);
    await appendAll(broker, room, [1]);
    proxy.silence();
    const started = performance.now();
    await until(async () => {
      await sleep(20);
      return placed((await broker.append(room, [draft(room, 2)], KEEP))[0]);
    }, 8_000);
    await until(() => ear.interruptions === 1);
    expect(performance.now() - started).toBeLessThan(7_000);
    await appendAll(broker, room, ["again"]);
    await until(() => ear.of(room).some(({ packet }) => packet.includes("again")));
  });
});

describe("a process that was too busy to ask in time", () => {
  test("asks again at once, on the same connections", async () => {
    const redis = await bench.redis();
    const { broker, ear } = await bench.node(redis);
    const room = freshRoom();
    await appendAll(broker, room, [1]);
    // From here timers come before the client's next write.
    await turn();
    const lost = timed(broker.ping());
    const end = performance.now() + DEFAULT_LIMITS.redisCommandMs + 100;
    while (performance.now() < end);
    expect((await lost).error).toMatchObject({ code: "unavailable" });
    await until(() => appendAll(broker, room, [2]), 1_500);
    await until(() => broker.subscribe(room).then(() => true), 1_500);
    await appendAll(broker, room, [3]);
    await until(() => ear.of(room).length > 0);
    expect(ear.interruptions).toBe(0);
  });
});

describe("room options in Redis", () => {
  test("are what the nodes wrote, for publishers", async () => {
    const redis = await bench.redis();
    const log = new RedisLog({ url: redis.url, keepsProcess: false });
    bench.onEnd(() => log.close());
    await log.connect();
    expect(await log.readRoomOptions()).toBeUndefined();
    const roomOptions = { "stream:*": { messages: 3, ageMs: 60_000 }, "chat:*": { messages: 0, ageMs: 1 } };
    await bench.node(redis, { roomOptions });
    expect(await until(() => log.readRoomOptions())).toEqual(roomOptions);
    // A Redis that lost them gets them again.
    await redis.kill();
    await redis.start();
    expect(await until(() => log.readRoomOptions())).toEqual(roomOptions);
  });
});

function oldReply(command: string): string {
  if (command === "HELLO") return "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n";
  return command === "INFO" ? "$20\r\nredis_version:6.2.14\r\n" : "+OK\r\n";
}

/** Passes bytes on until it is silenced; later connections pass again. */
async function silentProxy(port: number): Promise<{ port: number; silence(): void; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      socket.on("error", () => {});
      sockets.add(socket);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    silence: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
