import { createClient } from "redis";
import type { Processes } from "../../chaos/processes.ts";
import type { Cell, Scenario } from "../scenario.ts";
import { roomcast, Servers, type Target } from "../servers/servers.ts";
import { RawSocket } from "../wire/raw-socket.ts";
import { AT_ONCE } from "../subscribers/crowd.ts";

const MEMBERS = 10_000;
const SMOKE_MEMBERS = 50;
const COUNTS = 20;
const ROOM = "chat:large";
const limits = { membersPerRoom: 1_000_000 };

export const presence: Scenario = {
  name: "presence",
  does: "10,000 members on one node; joins with presence on another, and counts (roomcast alone)",
  cases: (settings) => {
    const members = settings.sockets ?? (settings.smoke ? SMOKE_MEMBERS : MEMBERS);
    return [
      {
        name: `${members} members`,
        targets: [roomcast("redis")],
        compared: [{ figure: "first join ms", better: "less" }],
        measure: (target, processes) => measure(target, processes, members),
      },
    ];
  },
};

async function measure(target: Target, processes: Processes, members: number): Promise<Cell> {
  const servers = await Servers.start(processes, target, 2, limits);
  const [full, empty] = servers.urls;
  const redis = createClient({ url: servers.redisUrl });
  redis.on("error", () => {});
  await redis.connect();
  try {
    const filled = performance.now();
    await fill(full!, members);
    const fillMs = performance.now() - filled;
    const first = await newcomer(empty!, "first", true);
    await redis.sendCommand(["CONFIG", "RESETSTAT"]);
    const second = await newcomer(empty!, "second", true);
    const scans = /^cmdstat_hscan:calls=(\d+)/m.exec(await redis.info("commandstats"))?.[1] ?? "0";
    const without = await newcomer(empty!, "without", false);
    const counted = await countsOf(empty!);
    const bytes = Number(
      await redis.sendCommand(["MEMORY", "USAGE", `roomcast:here:{${ROOM}}`, "SAMPLES", "0"]),
    );
    const expected = [members + 1, members + 2];
    const told = [first.total, second.total];
    const wrong = [
      ...expected.flatMap((total, i) =>
        told[i] === total ? [] : [`a join tells ${told[i]} members of ${total}`],
      ),
      ...(counted.members === members + 3 ? [] : [`GET tells ${counted.members} members of ${members + 3}`]),
    ];
    const figures = {
      "first join ms": first.ms,
      "second join ms": second.ms,
      "HSCANs of the second": Number(scans),
      "join without ms": without.ms,
      "reply bytes": second.bytes,
      "GET /rooms/:room ms": counted.ms,
      "joins/s": (1_000 * members) / fillMs,
      "Redis B/member": bytes / members,
    };
    return { figures, wrong };
  } finally {
    redis.destroy();
  }
}

async function fill(url: string, members: number): Promise<void> {
  let next = 0;
  const lanes = Array.from({ length: AT_ONCE }, async () => {
    while (next < members) await newcomer(url, `member-${(next += 1)}`, false);
  });
  await Promise.all(lanes);
}

/** A join, by a connection that stays. Whoever joins this room is a member, and sees the others only with `presence`. */
async function newcomer(
  url: string,
  username: string,
  withPresence: boolean,
): Promise<{ readonly ms: number; readonly total: number; readonly bytes: number }> {
  const socket = await RawSocket.open(url, { username });
  const began = performance.now();
  const reply = await socket.request("join", JSON.stringify({ room: ROOM, presence: withPresence }));
  return {
    ms: performance.now() - began,
    total: Number(reply["total"]),
    bytes: JSON.stringify(reply).length,
  };
}

async function countsOf(url: string): Promise<{ readonly ms: number; readonly members: number }> {
  const began = performance.now();
  let members = 0;
  for (let i = 0; i < COUNTS; i += 1) {
    const reply = await fetch(`${url}/rooms/${encodeURIComponent(ROOM)}`);
    ({ members } = (await reply.json()) as { members: number });
  }
  return { ms: (performance.now() - began) / COUNTS, members };
}
