import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { Commands, type ServeCommand } from "../support/commands.ts";
import { range } from "../support/core.ts";
import { MemberWatch } from "../support/member-watch.ts";
import { Nodes } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

/** `MEMBERS=500 npx jest presence-crash` is the size for a machine with nothing else to do. */
const MEMBERS = Number(process.env["MEMBERS"] ?? 60);
const ROOM = "chat:crash";

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

/** Three nodes in processes of their own, many members on the first one, some who watch on the others. */
async function start(): Promise<{ hubs: readonly ServeCommand[]; watches: readonly MemberWatch[] }> {
  await redis.command("FLUSHALL");
  const hubs = await Promise.all(
    range(1, 3).map(() => commands.serve([], { env: { REDIS_URL: redis.url } })),
  );
  const options = { transports: ["websocket"], reconnection: false };
  const clients = await Promise.all(
    range(1, 6).map((i) =>
      nodes.client(hubs[1 + (i % 2)]!.url, { ...options, auth: { username: `watch-${i}` } }),
    ),
  );
  const watches = clients.map((client) => new MemberWatch(client, ROOM));
  await Promise.all(watches.map((watch) => watch.join()));
  const members = await Promise.all(
    range(1, MEMBERS).map((i) =>
      nodes.client(hubs[0]!.url, { ...options, auth: { username: `member-${i}` } }),
    ),
  );
  await Promise.all(members.map((member) => member.join(ROOM)));
  await until(() => watches.every(({ known }) => known.size === MEMBERS + 6), 20_000);
  return { hubs, watches };
}

/** How often each of the members has come and gone, as one of those who watch was told. */
function told({ known, joins, leaves }: MemberWatch): object {
  const counts = (times: ReadonlyMap<string, number>): number[] => [...new Set(times.values())];
  return {
    there: known.size,
    left: leaves.size,
    leaves: counts(leaves),
    joined: joins.size,
    joins: counts(joins),
  };
}

describe("the members of a node", () => {
  test("are gone within 15 s when it is killed, each once", async () => {
    const { hubs, watches } = await start();
    watches.forEach(({ joins }) => joins.clear());
    const killed = performance.now();
    await hubs[0]!.end("SIGKILL");
    // A busy machine may take a little longer than the promise, which is measured with nothing beside it.
    await until(() => watches.every(({ known }) => known.size === 6), 20_000);
    const ms = Math.round(performance.now() - killed);
    if (process.env["MEMBERS"] !== undefined) process.stderr.write(`${MEMBERS} gone after ${ms} ms\n`);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    for (const watch of watches)
      expect(told(watch)).toEqual({ there: 6, left: MEMBERS, leaves: [1], joined: 0, joins: [] });
  }, 60_000);

  test("stay when it stops for less than a lease, and come back once when it stops for longer", async () => {
    const { hubs, watches } = await start();
    watches.forEach(({ joins }) => joins.clear());
    hubs[0]!.signal("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    hubs[0]!.signal("SIGCONT");
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    for (const watch of watches)
      expect(told(watch)).toEqual({ there: MEMBERS + 6, left: 0, leaves: [], joined: 0, joins: [] });
    hubs[0]!.signal("SIGSTOP");
    await until(() => watches.every(({ known }) => known.size === 6), 20_000);
    hubs[0]!.signal("SIGCONT");
    await until(() => watches.every(({ known }) => known.size === MEMBERS + 6), 20_000);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    for (const watch of watches)
      expect(told(watch)).toEqual({
        there: MEMBERS + 6,
        left: MEMBERS,
        leaves: [1],
        joined: MEMBERS,
        joins: [1],
      });
  }, 90_000);
});
