import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { createPublisher, type Publisher } from "../../server/publisher/index.ts";
import { RedisLog } from "../../server/stores/redis/redis-log.ts";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { bundleStore } from "../support/bundled-store.ts";
import { until } from "../support/wait.ts";
import { appendAll, draft, freshRoom, KEEP, offsetsOf, range } from "./broker-nodes.ts";
import { RedisBench } from "./redis-nodes.ts";

const bench = new RedisBench();
let folder: string;

beforeAll(() => {
  folder = bundleStore("redis-log.ts");
});

afterEach(() => bench.end());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program that has a connected `log` and a `room`, and says "done" when it has nothing more to do. */
function publisher(url: string, code: string): { said: () => string; ended: Promise<unknown[]> } {
  const file = join(folder, `${Math.random().toString(36).slice(2)}.mjs`);
  const text = `import { RedisLog } from "./store.mjs";
    const log = new RedisLog({ url: ${JSON.stringify(url)}, keepsProcess: false });
    const append = (id) => log.append("chat:lobby", [{ id, keyed: true, head: '["x",1,{' }], { messages: 9, ageMs: 1e6 });
    await log.connect();
    ${code}
    console.log("done");`;
  writeFileSync(file, text);
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  bench.onEnd(async () => child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk) => (output += String(chunk)));
  return { said: () => output, ended: once(child, "exit") };
}

async function within(ms: number, ended: Promise<unknown[]>): Promise<unknown> {
  const late = new Promise((resolve) => setTimeout(resolve, ms, ["still running"]).unref());
  return ((await Promise.race([ended, late])) as unknown[])[0];
}

describe("a publisher straight to Redis", () => {
  async function publisherTo(port: number): Promise<Publisher> {
    const made = createPublisher({ redisUrl: `redis://127.0.0.1:${port}`, onNotice: () => {} });
    bench.onEnd(() => made.close());
    return made;
  }

  test("leaves no id behind that it made itself, except where too few messages are kept to find it", async () => {
    const redis = await bench.redis();
    const roomOptions = { "chat:*": { messages: 100, ageMs: 1e6 }, "user:*": { messages: 99, ageMs: 1e6 } };
    await bench.node(redis, { roomOptions });
    await until(() => redis.command("GET", "roomcast:options"));
    const { emit } = await publisherTo(redis.port);
    for (const i of range(1, 5)) await emit("chat:a", "message", i);
    expect(await redis.command("EXISTS", "roomcast:ids:{chat:a}")).toBe(0);
    await emit("chat:a", "message", 6, { id: "mine" });
    expect(await redis.command("HLEN", "roomcast:ids:{chat:a}")).toBe(1);
    for (const i of range(1, 5)) await emit("user:a", "message", i);
    expect(await redis.command("HLEN", "roomcast:ids:{user:a}")).toBe(5);
  });

  test("makes one message of an emit whose answers get lost", async () => {
    const redis = await bench.redis();
    const proxy = await FaultProxy.start(redis.port);
    bench.onEnd(() => proxy.close());
    const { emit } = await publisherTo(proxy.port);
    for (const i of range(1, 5)) {
      await emit("chat:a", "message", "before");
      await proxy.set("lose");
      const lost = proxy.lost;
      const answer = emit("chat:a", "message", `lost ${i}`, { timeoutMs: 10_000 });
      await until(() => proxy.lost > lost);
      await proxy.set("pass");
      expect(await answer).toMatchObject({ offset: 2 * i });
    }
    expect(await redis.command("XLEN", "roomcast:log:{chat:a}")).toBe(10);
    expect(await redis.command("EXISTS", "roomcast:ids:{chat:a}")).toBe(0);
  });
});

describe("a process that only publishes", () => {
  test("ends when it is done, without closing anything", async () => {
    const redis = await bench.redis();
    const { said, ended } = publisher(redis.url, `await append("a");`);
    expect(await within(5_000, ended)).toBe(0);
    expect(said()).toBe("done\n");
    expect(await redis.command("XLEN", "roomcast:log:{chat:lobby}")).toBe(1);
  });

  test("ends when it is done although Redis has gone", async () => {
    const redis = await bench.redis();
    const { said, ended } = publisher(
      redis.url,
      `console.log("ready");
       await new Promise((resolve) => setTimeout(resolve, 1_000));
       await append("a").catch((error) => console.log(error.code));`,
    );
    await until(() => said().includes("ready"));
    await redis.kill();
    expect(await within(5_000, ended)).toBe(0);
    expect(said()).toBe("ready\nunavailable\ndone\n");
  });

  test("stays until what it has asked for is answered", async () => {
    const redis = await bench.redis();
    const { said, ended } = publisher(
      redis.url,
      `console.log("ready"); append("a").catch((e) => console.log(e.code));`,
    );
    await until(() => said().includes("ready"));
    expect(await within(5_000, ended)).toBe(0);
    expect(await redis.command("XLEN", "roomcast:log:{chat:lobby}")).toBe(1);
  });

  test("connects again by itself when it is needed", async () => {
    const redis = await bench.redis();
    const log = new RedisLog({ url: redis.url, keepsProcess: false });
    bench.onEnd(() => log.close());
    await log.connect();
    const { broker, ear } = await bench.node(redis);
    const room = freshRoom();
    await broker.subscribe(room);
    await log.append(room, [draft(room, 1)], KEEP);
    for (const round of range(2, 4)) {
      await redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await until(() => log.append(room, [draft(room, round, { id: `r${round}`, keyed: true })], KEEP));
      await until(() => ear.of(room).length === round);
    }
    await redis.kill();
    await expect(log.append(room, [draft(room, 5)], KEEP)).rejects.toMatchObject({ code: "unavailable" });
    await redis.start();
    await until(() => log.append(room, [draft(room, 6)], KEEP));
    await until(() => appendAll(broker, room, [7]));
    expect(offsetsOf((await log.read(room, { after: 0, limit: 9 })).messages)).toEqual([1, 2]);
  });
});
