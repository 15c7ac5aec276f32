import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { randomId } from "../../shared/message-id.ts";
import type { Published } from "../../shared/protocol.ts";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { readLog } from "../support/log-reader.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { PublishingProcess } from "../support/publishing-process.ts";
import { RedisServer } from "../support/redis-server.ts";
import { runNode, type Variables } from "../support/run-node.ts";
import { until } from "../support/wait.ts";

const WAVES = 10;
const WAVE = 50;

const nodes = new Nodes();
let redis: RedisServer;
let node: RunningNode;

beforeAll(async () => {
  redis = await RedisServer.start();
  node = await nodes.start({ redisUrl: redis.url });
});

afterAll(async () => {
  await nodes.close();
  await redis.stop();
});

function portOf(way: string): number {
  return way === "Redis" ? redis.port : Number(new URL(node.url).port);
}

function variables(way: string, port: number): Variables {
  return way === "Redis"
    ? { REDIS_URL: `redis://127.0.0.1:${port}` }
    : { ROOMCAST_URL: `http://127.0.0.1:${port}` };
}

/** Resets the connections of two publishers in the middle of each wave, before or after their messages are stored. */
async function publishUnderFaults(
  room: string,
  proxy: FaultProxy,
  publishers: readonly PublishingProcess[],
): Promise<number> {
  let faults = 0;
  for (let wave = 1; wave <= WAVES; wave += 1) {
    const lost = proxy.lost;
    await proxy.set(wave % 2 === 0 ? "lose" : "hang");
    await Promise.all(publishers.map((publisher) => publisher.start(room, WAVE)));
    if (wave % 2 === 0) await until(() => proxy.lost > lost, 20_000);
    proxy.resetAll();
    await proxy.set("pass");
    faults += 1;
    await Promise.all(publishers.map((publisher) => publisher.answered(wave * WAVE)));
  }
  return faults;
}

describe.each(["Redis", "HTTP"])("processes that publish over %s", (way) => {
  test("store 1,000 messages once and in order, through resets of their connections", async () => {
    const room = `stream:${randomId()}`;
    const proxy = await FaultProxy.start(portOf(way));
    const publishers = [0, 1].map((from) => new PublishingProcess(from, variables(way, proxy.port)));
    try {
      expect(await publishUnderFaults(room, proxy, publishers)).toBe(WAVES);
      expect(await Promise.all(publishers.map((publisher) => publisher.end()))).toEqual([0, 0]);
    } finally {
      publishers.forEach((publisher) => publisher.kill());
      await proxy.close();
    }

    const log = await readLog(redis.url, room);
    expect(log.map(({ offset }) => offset)).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1));
    expect(new Set(log.map(({ id }) => id)).size).toBe(1_000);
    publishers.forEach(({ results }, from) => {
      const own = log.filter(({ data }) => (data as { from: number }).from === from);
      expect(own.map(({ data }) => (data as { n: number }).n)).toEqual(own.map((_, i) => i + 1));
      const places = ({ id, epoch, offset }: Published): object => ({ id, epoch, offset });
      expect(results.map(places)).toEqual(own.map(({ id, epoch, offset }) => ({ id, epoch, offset })));
    });
    // Lost answers were asked for again, and so were told apart.
    expect(publishers.flatMap(({ results }) => results).some(({ duplicate }) => duplicate)).toBe(true);
  }, 90_000);

  test.each([
    [
      "after emitToRoom only",
      `import { emitToRoom } from "roomcast/publisher";
       const { offset } = await emitToRoom("chat:exit", "n", 1);
       const { ephemeral } = await emitToRoom("chat:exit", "n", 1, { ephemeral: true });
       console.log(offset > 0 && ephemeral);`,
    ],
    [
      "after close",
      `import { createPublisher } from "roomcast/publisher";
       const publisher = createPublisher();
       publisher.emit("chat:exit", "n", 1).then(({ offset }) => console.log(offset > 0));
       await publisher.close();`,
    ],
    [
      "after close without any message",
      `import { createPublisher } from "roomcast/publisher";
       await createPublisher().close();
       console.log(true);`,
    ],
    [
      "after a time-out, while its connection hangs",
      `import { emitToRoom } from "roomcast/publisher";
       process.env.REDIS_URL &&= process.argv[1];
       process.env.ROOMCAST_URL &&= process.argv[1];
       await emitToRoom("chat:exit", "n", 1, { timeoutMs: 100 }).catch(({ code }) => console.log(code === "unavailable"));`,
    ],
  ])("end by themselves %s", async (_when, code) => {
    const hanging = await FaultProxy.start(portOf(way));
    await hanging.set("hang");
    const url = `${way === "Redis" ? "redis" : "http"}://127.0.0.1:${hanging.port}`;
    const env = variables(way, portOf(way));
    const run = await runNode(["--input-type=module", "-e", code, url], { env, ms: 10_000 });
    await hanging.close();
    expect(run).toEqual({ out: "true\n", err: "", code: 0 });
  });
});

describe("a process with both REDIS_URL and ROOMCAST_URL", () => {
  test("publishes straight to Redis and says so in exactly one line", async () => {
    const code = `import { createPublisher, emitToRoom } from "roomcast/publisher";
      for (let i = 0; i < 3; i += 1) await emitToRoom("chat:both", "n", i);
      await createPublisher().close();`;
    const env = { ...variables("Redis", redis.port), ROOMCAST_URL: "http://127.0.0.1:9" };
    const { out, err } = await runNode(["--input-type=module", "-e", code], { env });
    expect(out).toBe("");
    expect(err).toBe("roomcast: REDIS_URL and ROOMCAST_URL are both set: messages go straight to Redis\n");
    expect(await readLog(redis.url, "chat:both")).toHaveLength(3);
  });
});
