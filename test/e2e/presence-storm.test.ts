import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { Commands } from "../support/commands.ts";
import { range } from "../support/core.ts";
import { MemberWatch } from "../support/member-watch.ts";
import { Nodes } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

/** `CROWD=2000 CHURN=60 npx jest presence-storm` are the sizes for a machine with nothing else to do. */
const CROWD = Number(process.env["CROWD"] ?? 200);
const CHURN_S = Number(process.env["CHURN"] ?? 8);
const CLIENTS = process.env["CHURN"] === undefined ? 40 : 200;

let redis: RedisServer;
const commands = new Commands();
const nodes = new Nodes();
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  await nodes.close();
  await commands.close();
});
afterAll(() => redis.stop());

async function urlsOfHubs(): Promise<string[]> {
  const hubs = await Promise.all(
    range(1, 3).map(() => commands.serve([], { env: { REDIS_URL: redis.url } })),
  );
  return hubs.map(({ url }) => url);
}

test(`${CROWD} members who join at once all end with the same set, told in few pushes`, async () => {
  const room = "stream:crowd";
  const urls = await urlsOfHubs();
  const clients = await Promise.all(
    range(1, CROWD).map((i) => nodes.client(urls[i % 3]!, { transports: ["websocket"] })),
  );
  const watches = clients.map((client) => new MemberWatch(client, room));
  const began = performance.now();
  await Promise.all(
    watches.map(async (watch, i) => {
      await new Promise((resolve) => setTimeout(resolve, (i / CROWD) * 1_500));
      // A busy machine may refuse it for a while, as it would any client.
      await until(() => watch.join(), 60_000, 500);
    }),
  );
  const joined = Math.round(performance.now() - began);
  // The reply has a page at most; who wants all of them reads on.
  await Promise.all(watches.filter(({ known, total }) => known.size < total).map((watch) => watch.readOn()));
  await until(() => watches.every(({ known, total }) => known.size === CROWD && total === CROWD), 30_000);
  const all = [...watches[0]!.known.keys()].toSorted();
  for (const { known } of watches) expect([...known.keys()].toSorted()).toEqual(all);
  const most = Math.max(...watches.map(({ pushes }) => pushes.length));
  if (process.env["CROWD"] !== undefined)
    process.stderr.write(`${CROWD} joined within ${joined} ms, at most ${most} pushes to one\n`);
  expect(most).toBeLessThanOrEqual(20);
}, 180_000);

test(`${CLIENTS} clients who come and go for ${CHURN_S} s while Redis restarts all end with the truth`, async () => {
  const room = "chat:churn";
  const urls = await urlsOfHubs();
  const end = performance.now() + CHURN_S * 1_000;
  const there = new Set<string>();
  const watches: MemberWatch[] = [];
  const churn = range(1, CLIENTS).map(async (i) => {
    const name = `client-${i}`;
    const auth = { username: name, guest: `guest-of-client-${i}` };
    for (;;) {
      const client = nodes.connecting(urls[Math.floor(Math.random() * 3)]!, {
        auth,
        transports: ["websocket"],
      });
      const watch = new MemberWatch(client, room);
      await until(() => client.socket.connected, 20_000);
      // Redis may be away right now.
      await until(() => watch.join(), 30_000, 200);
      const isLast = performance.now() > end;
      if (isLast && i % 2 === 0) {
        there.add(name);
        watches.push(watch);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 1_500));
      if (Math.random() < 0.5) await client.ask("leave", { room });
      client.socket.disconnect();
      if (isLast) return;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 1_000));
    }
  });
  await new Promise((resolve) => setTimeout(resolve, (CHURN_S * 1_000) / 2));
  await redis.kill();
  await redis.start();
  await Promise.all(churn);
  const ended = performance.now();
  const truth = [...there].toSorted();
  await until(() => watches.every(({ names }) => JSON.stringify(names) === JSON.stringify(truth)), 20_000);
  const ms = Math.round(performance.now() - ended);
  if (process.env["CHURN"] !== undefined) process.stderr.write(`the truth after ${ms} ms\n`);
  // It stays the truth: nobody left behind turns up, or is found to be gone, later.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  for (const { names } of watches) expect(names).toEqual(truth);
}, 240_000);
