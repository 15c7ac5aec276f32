import type { Processes } from "../../chaos/processes.ts";
import type { LoadApi } from "../load/process.ts";
import type { LoadPlan, Run } from "../load/publishers.ts";
import type { Cell, Compared, Settings } from "../scenario.ts";
import { cpuSeconds } from "../measure/processes.ts";
import { profiles } from "../servers/profiles.ts";
import { Servers, socketIo, roomcast, type CpuTimes, type Target } from "../servers/servers.ts";
import type { Limits } from "../../shared/limits.ts";
import { Subscribers } from "../subscribers/group.ts";
import { Remote } from "../wire/calls.ts";

/** Publishers, servers and subscribers of a cell in which messages are delivered. */
export interface FanOut {
  readonly rooms?: number;
  readonly socketsPerRoom: number;
  /** Readers of server-sent events beside the sockets, if any. */
  readonly streamsPerRoom?: number;
  readonly dataBytes?: number;
  readonly load: Partial<Omit<LoadPlan, "url" | "redisUrl" | "rooms" | "dataBytes" | "deliveredAt">>;
  readonly run: Run;
  /** Two: publish on the first, subscribe on the second. */
  readonly nodes?: 1 | 2;
  readonly limits?: Partial<Limits>;
}

export const DELIVERIES = "d/cpu-s";
export const MORE_DELIVERIES: readonly Compared[] = [{ figure: DELIVERIES, better: "more" }];
const DATA_BYTES = 200;
/** Before anything is measured the same load runs for so long, at most, in seconds. */
const WARM_UP_SECONDS = 2;

/** Roomcast over each of the stores, and plain Socket.IO; with its sharded adapter too where Redis is a store. */
export function withPeers({ stores }: Settings): Target[] {
  const sharded = stores.includes("redis") ? [socketIo("sharded")] : [];
  return [...stores.map(roomcast), socketIo("none"), ...sharded];
}

/** What a cell runs with. */
export interface Stage {
  readonly servers: Servers;
  readonly subscribers: Subscribers;
  readonly publishers: Remote<LoadApi>;
}

/** Starts what a cell needs, side by side, and connects the subscribers. */
export async function stage(processes: Processes, target: Target, plan: FanOut): Promise<Stage> {
  const { rooms: count = 1, dataBytes = DATA_BYTES, load, run, nodes = 1, limits = {} } = plan;
  const rooms = Array.from({ length: count }, (_, i) => `stream:bench-${i}`);
  const module = new URL("../load/process.js", import.meta.url).href;
  const publishers = new Remote<LoadApi>(processes.fork("publishers", module));
  const crowd = { rooms, dataBytes, latency: run.perSecond !== undefined };
  const crowds = [
    { ...crowd, socketsPerRoom: plan.socketsPerRoom },
    { ...crowd, socketsPerRoom: plan.streamsPerRoom ?? 0, areStreams: true },
  ].filter(({ socketsPerRoom }) => socketsPerRoom > 0);
  const [servers, subscribers] = await Promise.all([
    Servers.start(processes, target, nodes, limits),
    Subscribers.start(processes, ...crowds),
  ]);
  const { urls, redisUrl } = servers;
  const standard = { way: "http", inFlight: 16, batch: 1, body: "single" } as const;
  await subscribers.connect({ url: urls.at(-1)! });
  // The answer of one node says nothing of what the other has still to deliver.
  const deliveredAt = nodes === 1 ? {} : { deliveredAt: urls.at(-1)! };
  const own = { url: urls[0]!, redisUrl, rooms, dataBytes, ...deliveredAt };
  await publishers.call("start", { ...standard, ...load, ...own });
  return { servers, subscribers, publishers };
}

/** Measures from one moment in which nothing is on its way to the next: no message is counted on one side only. */
export async function fanOut(processes: Processes, target: Target, plan: FanOut): Promise<Cell> {
  const { servers, subscribers, publishers } = await stage(processes, target, plan);
  const clients = [publishers.pid, ...subscribers.pids];
  const warmUp = await publishers.call("run", {
    ...plan.run,
    seconds: Math.min(WARM_UP_SECONDS, plan.run.seconds),
  });
  const wrong = await subscribers.settle(warmUp.published);
  await subscribers.latencies();
  const [receivedBefore, cpuBefore, clientsBefore] = [
    await subscribers.received(),
    servers.cpu(),
    clients.map(cpuSeconds),
  ];
  await profiles.toggle(servers.nodes, "profile began");
  const began = performance.now();
  const { published, messages } = await publishers.call("run", plan.run);
  wrong.push(...(await subscribers.settle(published)));
  const seconds = (performance.now() - began) / 1_000;
  const cpu = difference(servers.cpu(), cpuBefore);
  await profiles.toggle(servers.nodes, "profile written");
  const busiest = Math.max(...clients.map((pid, i) => cpuSeconds(pid) - clientsBefore[i]!));
  const deliveries = (await subscribers.received()) - receivedBefore;
  const times = await subscribers.latencies();
  const latency =
    plan.run.perSecond === undefined
      ? {}
      : { "p50 ms": times.percentile(0.5), "p99 ms": times.percentile(0.99) };
  const figures = {
    [DELIVERIES]: deliveries / totalOf(cpu),
    "d/s": deliveries / seconds,
    "messages/cpu-s": messages / totalOf(cpu),
    "messages/s": messages / seconds,
    ...latency,
    ...named(cpu),
    "busiest client %": (100 * busiest) / seconds,
  };
  return { figures, wrong: [...new Set(wrong)] };
}

export function difference(after: CpuTimes, before: CpuTimes): CpuTimes {
  return Object.fromEntries(Object.entries(after).map(([name, seconds]) => [name, seconds - before[name]!]));
}

/** All processes together, in seconds. */
export function totalOf(cpu: CpuTimes): number {
  return Object.values(cpu).reduce((sum, seconds) => sum + seconds, 0);
}

/** CPU times as figures of a cell. */
export function named(cpu: CpuTimes): Record<string, number> {
  return Object.fromEntries(Object.entries(cpu).map(([name, seconds]) => [`${name} cpu s`, seconds]));
}
