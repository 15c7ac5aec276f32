import type { Processes } from "../../chaos/processes.ts";
import { pssKib } from "../measure/processes.ts";
import type { Cell, Scenario } from "../scenario.ts";
import { Servers, type Target } from "../servers/servers.ts";
import { AT_ONCE } from "../subscribers/crowd.ts";
import { RawSocket } from "../wire/raw-socket.ts";
import { difference, named, totalOf, withPeers } from "./fan-out.ts";

const SOCKETS = 2_000;
const SMOKE_SOCKETS = 10;
const ROOMS_PER_SOCKET = 100;
/** Before memory is read, so that what the joins left can be collected; with smoke it is not waited for. In ms. */
const SETTLE_MS = 5_000;

export const roomMemory: Scenario = {
  name: "room-memory",
  does: "100,000 rooms of two sockets, 100 for each of 2,000 sockets: user-space memory (PSS) of the server for each room",
  cases: (settings) => {
    const sockets = settings.sockets ?? (settings.smoke ? SMOKE_SOCKETS : SOCKETS);
    const settleMs = settings.smoke ? 0 : SETTLE_MS;
    return [
      {
        name: `${roomsOf(sockets)} rooms x 2`,
        targets: withPeers(settings),
        compared: [{ figure: "KiB/room", better: "less" }],
        measure: (target, processes) => measure(target, processes, sockets, settleMs),
      },
    ];
  },
};

async function measure(target: Target, processes: Processes, count: number, settleMs: number): Promise<Cell> {
  const servers = await Servers.start(processes, target);
  const sockets: RawSocket[] = [];
  try {
    await inLanes(count, async () => void sockets.push(await RawSocket.open(servers.urls[0]!)));
    await pause(settleMs);
    const [before, cpuBefore] = [memoryOf(servers), servers.cpu()];
    await inLanes(count, (i) => joinAll(sockets[i]!, i));
    const cpu = difference(servers.cpu(), cpuBefore);
    await pause(settleMs);
    const after = memoryOf(servers);
    const figures = {
      "KiB/room": (after - before) / roomsOf(count),
      "MiB before": before / 1_024,
      "MiB after": after / 1_024,
      "joins/cpu-s": (count * ROOMS_PER_SOCKET) / totalOf(cpu),
      ...named(cpu),
    };
    return { figures, wrong: [] };
  } finally {
    sockets.forEach((socket) => socket.end());
  }
}

function roomsOf(sockets: number): number {
  return Math.ceil(sockets / 2) * ROOMS_PER_SOCKET;
}

/** Two sockets that follow each other join the same rooms. Each join is acknowledged, or throws. */
async function joinAll(socket: RawSocket, index: number): Promise<void> {
  const first = (index >> 1) * ROOMS_PER_SOCKET;
  const joins = Array.from({ length: ROOMS_PER_SOCKET }, (_, i) =>
    socket.request("join", JSON.stringify({ room: `stream:bench-${first + i}` })),
  );
  await Promise.all(joins);
}

async function inLanes(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lanes = Array.from({ length: AT_ONCE }, async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  });
  await Promise.all(lanes);
}

function memoryOf({ nodes }: Servers): number {
  return nodes.reduce((sum, { child }) => sum + pssKib(child.pid!), 0);
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
