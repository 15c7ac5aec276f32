import type { Processes } from "../../chaos/processes.ts";
import { pssKib } from "../measure/processes.ts";
import type { Cell, Scenario, Settings } from "../scenario.ts";
import { profiles } from "../servers/profiles.ts";
import type { Servers, Target } from "../servers/servers.ts";
import { Subscribers } from "../subscribers/group.ts";
import { difference, named, stage, totalOf, withPeers, type FanOut } from "./fan-out.ts";

const SOCKETS = 5_000;
const SMOKE_SOCKETS = 50;
/** Before memory is read, so that what the handshakes left can be collected; with smoke it is not waited for. In ms. */
const SETTLE_MS = 5_000;
/** What a server loads and compiles only with its first connections is no cost of the others. */
const FIRST_SOCKETS = 100;

function planOf({ sockets, smoke }: Settings): FanOut {
  const socketsPerRoom = sockets ?? (smoke ? SMOKE_SOCKETS : SOCKETS);
  // One message at the end shows that everybody is really there.
  return { socketsPerRoom, load: { inFlight: 1 }, run: { seconds: 0 } };
}

export const connectRate: Scenario = {
  name: "connect-rate",
  does: "5,000 WebSocket handshakes, 64 at a time, each with a join and its acknowledgement",
  cases: (settings) => {
    const plan = planOf(settings);
    return [
      {
        name: `${plan.socketsPerRoom} connections`,
        targets: withPeers(settings),
        compared: [{ figure: "connects/cpu-s", better: "more" }],
        measure: (target, processes) => connect(target, processes, plan),
      },
    ];
  },
};

async function connect(target: Target, processes: Processes, plan: FanOut): Promise<Cell> {
  const { servers, publishers } = await stage(processes, target, { ...plan, socketsPerRoom: 1 });
  const subscribers = await Subscribers.start(processes, {
    rooms: ["stream:bench-0"],
    socketsPerRoom: plan.socketsPerRoom,
    dataBytes: 200,
  });
  await profiles.toggle(servers.nodes, "profile began");
  const before = servers.cpu();
  const seconds = await subscribers.connect({ url: servers.urls[0]! });
  const cpu = difference(servers.cpu(), before);
  await profiles.toggle(servers.nodes, "profile written");
  const { published } = await publishers.call("run", plan.run);
  const wrong = await subscribers.settle(published);
  const figures = {
    "connects/cpu-s": plan.socketsPerRoom / totalOf(cpu),
    "connects/s": plan.socketsPerRoom / seconds,
    ...named(cpu),
  };
  return { figures, wrong };
}

export const idleMemory: Scenario = {
  name: "idle-memory",
  does: "5,000 connections in one room that do nothing: user-space memory (PSS) of the server for each",
  cases: (settings) => {
    const plan = planOf(settings);
    return [
      {
        name: `${plan.socketsPerRoom} connections`,
        targets: withPeers(settings),
        compared: [{ figure: "KiB/connection", better: "less" }],
        measure: (target, processes) => idle(target, processes, plan, settings.smoke ? 0 : SETTLE_MS),
      },
    ];
  },
};

async function idle(target: Target, processes: Processes, plan: FanOut, settleMs: number): Promise<Cell> {
  const firsts = Math.min(FIRST_SOCKETS, plan.socketsPerRoom);
  const { servers, publishers } = await stage(processes, target, { ...plan, socketsPerRoom: firsts });
  const subscribers = await Subscribers.start(processes, {
    rooms: ["stream:bench-0"],
    socketsPerRoom: plan.socketsPerRoom,
    dataBytes: 200,
  });
  await pause(settleMs);
  const before = memoryOf(servers);
  await subscribers.connect({ url: servers.urls[0]! });
  await pause(settleMs);
  const after = memoryOf(servers);
  const { published } = await publishers.call("run", plan.run);
  const wrong = await subscribers.settle(published);
  const figures = {
    "KiB/connection": (after - before) / plan.socketsPerRoom,
    "MiB before": before / 1_024,
    "MiB after": after / 1_024,
  };
  return { figures, wrong };
}

function memoryOf({ nodes }: Servers): number {
  return nodes.reduce((sum, { child }) => sum + pssKib(child.pid!), 0);
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
