import { afterEach, describe, expect, it } from "@jest/globals";
import { Nodes } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { range } from "../support/core.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
let redis: RedisServer | undefined;
const unhandled: unknown[] = [];
const onUnhandled = (error: unknown): void => void unhandled.push(error);
process.on("unhandledRejection", onUnhandled);

afterEach(async () => {
  redis?.wake();
  await nodes.close();
  await redis?.stop();
  expect(unhandled.splice(0)).toEqual([]);
});

const json = { "content-type": "application/json" };
const post = (url: string, room: string, data: unknown) =>
  fetch(`${url}/rooms/${encodeURIComponent(room)}/messages`, {
    method: "POST",
    headers: json,
    body: JSON.stringify({ event: "log", data }),
  });

describe.each([
  ["hangs", (server: RedisServer) => server.hang(), (server: RedisServer) => server.wake()],
  ["is killed", (server: RedisServer) => server.kill(), (server: RedisServer) => server.start()],
] as const)("while Redis %s", (_, leave, comeBack) => {
  it("publishers are told within 2 s, sockets stay, and delivery goes on by itself", async () => {
    redis = await RedisServer.start("--appendonly", "yes", "--appendfsync", "always");
    const [a, b] = await Promise.all([
      nodes.start({ redisUrl: redis.url }),
      nodes.start({ redisUrl: redis.url }),
    ]);
    const [ana, ben] = [await nodes.client(a.url), await nodes.client(b.url)];
    await ana.join("stream:x");
    await ben.join("stream:x");
    const drops: string[] = [];
    for (const { socket } of [ana, ben]) socket.on("disconnect", (reason) => drops.push(reason));
    await a.hub.publish("stream:x", "log", "before");

    await leave(redis);
    const began = performance.now();
    const answers = await Promise.all([
      ana.ask("publish", { room: "stream:x", event: "log", data: "meanwhile", id: "m1" }),
      post(b.url, "stream:x", "meanwhile").then(async (reply) => ({
        status: reply.status,
        after: reply.headers.get("retry-after"),
        body: await reply.json(),
      })),
      ben.ask("join", { room: "stream:other" }),
      fetch(`${a.url}/readyz`).then(({ status }) => status),
    ]);
    expect(performance.now() - began).toBeLessThan(2_300);
    expect(answers[0]).toMatchObject({ ok: false, error: { code: "unavailable", retryable: true } });
    expect(answers[1]).toMatchObject({
      status: 503,
      after: expect.stringMatching(/^\d+$/),
      body: { error: { code: "unavailable" } },
    });
    expect(answers[2]).toMatchObject({ ok: false, error: { code: "unavailable" } });
    expect(answers[3]).toBe(503);
    expect((await fetch(`${a.url}/healthz`)).status).toBe(200);

    await comeBack(redis);
    // What was asked of a hanging Redis happens when it wakes; the same id makes sure that it is one message.
    const retried = await until(async () => {
      const reply = await ana.ask("publish", { room: "stream:x", event: "log", data: "meanwhile", id: "m1" });
      return reply.ok && reply;
    }, 10_000);
    expect(retried).toMatchObject({ ok: true });
    await until(async () => (await post(b.url, "stream:x", "after")).status === 201, 10_000);
    const { offset } = (await a.hub.publish("stream:x", "log", "last")) as { offset: number };
    await until(() => [ana, ben].every((client) => client.offsets().at(-1) === offset), 10_000);
    for (const client of [ana, ben]) {
      expect(client.offsets()).toEqual(range(1, offset));
      expect(client.messages.filter(({ meta }) => meta.id === "m1")).toHaveLength(1);
      expect(client.gaps).toEqual([]);
    }
    expect(drops).toEqual([]);
    expect(await ben.ask("join", { room: "stream:other" })).toMatchObject({ ok: true });
  });
});

describe("a Redis that lost everything", () => {
  it("makes a new log, and every member is told", async () => {
    redis = await RedisServer.start();
    const { url, hub } = await nodes.start({ redisUrl: redis.url });
    const client = await nodes.client(url);
    const { position } = await client.join("stream:x");
    await hub.publish("stream:x", "log", 1);
    await until(() => client.messages.length === 1);
    await redis.kill();
    await redis.start();
    await until(
      async () => (await hub.publish("stream:x", "log", "new").catch(() => undefined)) !== undefined,
      10_000,
    );
    await until(() => client.messages.length === 2, 10_000);
    expect(client.gaps).toEqual([
      expect.objectContaining({ room: "stream:x", reason: "epoch_changed", from: 1, to: 0 }),
    ]);
    expect(client.gaps[0]!.epoch).not.toBe(position.epoch);
    expect(client.messages.at(-1)).toMatchObject({
      data: "new",
      meta: { offset: 1, epoch: client.gaps[0]!.epoch },
    });
  });
});

describe("members that come and go", () => {
  it("never leave a node deaf", async () => {
    redis = await RedisServer.start();
    const { url, hub } = await nodes.start({ redisUrl: redis.url });
    const [ana, ben] = [await nodes.client(url), await nodes.client(url)];
    await ana.join("stream:x");
    for (const round of range(1, 200)) {
      const [from, to] = round % 2 === 1 ? [ana, ben] : [ben, ana];
      const joined = to.join("stream:x");
      await Promise.all([from.ask("leave", { room: "stream:x" }), joined]);
      const before = to.messages.length;
      await hub.publish("stream:x", "log", round);
      await until(() => to.messages.length === before + 1, 2_000);
    }
    expect([...ana.offsets(), ...ben.offsets()].toSorted((a, b) => a - b)).toEqual(range(1, 200));
  });
});

describe("a hub without its Redis", () => {
  it("does not start, and says where it looked without the password", async () => {
    const url = "redis://:secret@127.0.0.1:1";
    const failed = nodes.start({ redisUrl: url });
    await expect(failed).rejects.toMatchObject({ code: "unavailable" });
    await expect(failed).rejects.toThrow("127.0.0.1:1");
    await expect(failed).rejects.not.toThrow("secret");
  });
});
