import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Processes, RunProcess } from "../../chaos/processes.ts";
import { freePort } from "../../chaos/redis-process.ts";
import type { Limits } from "../../shared/limits.ts";
import { cpuSeconds } from "../measure/processes.ts";
import type { PeerAdapter } from "./peer-process.ts";
import { profiles } from "./profiles.ts";

/** Where roomcast keeps its log. */
export type Store = "disk" | "memory" | "redis";

/** What is measured against each other. */
export type Target =
  | { readonly name: string; readonly kind: "roomcast"; readonly store: Store }
  | { readonly name: string; readonly kind: "socket.io"; readonly adapter: PeerAdapter };

/** CPU time by the name of the process, in seconds. */
export type CpuTimes = Readonly<Record<string, number>>;

const SERVE = fileURLToPath(new URL("../../server/cli/main.js", import.meta.url));
const PEER = fileURLToPath(new URL("peer-process.js", import.meta.url));

/** Above any load: what is measured is the checks, not the refusals. */
const LIMITS: Partial<Limits> = { messagesPerSecond: 1_000_000, messageBurst: 1_000_000 };
/** What would lead a hub elsewhere than to what it is told here; how it sends may be told from outside. */
const FOREIGN = /^(REDIS_URL|PORT|HOST|LOG_LEVEL|ROOMCAST_(?!FAST_PATH$).*)$/;

export function roomcast(store: Store): Target {
  return { name: `roomcast (${store})`, kind: "roomcast", store };
}

export function socketIo(adapter: PeerAdapter): Target {
  return { name: adapter === "none" ? "socket.io" : `socket.io + ${adapter}`, kind: "socket.io", adapter };
}

/** The server processes of one cell, the Redis included. */
export class Servers {
  readonly urls: readonly string[];
  /** Empty if there is no Redis. */
  readonly redisUrl: string;
  readonly nodes: readonly RunProcess[];
  readonly #processes: readonly RunProcess[];

  private constructor(
    urls: readonly string[],
    redisUrl: string,
    nodes: readonly RunProcess[],
    others: readonly RunProcess[],
  ) {
    this.urls = urls;
    this.redisUrl = redisUrl;
    this.nodes = nodes;
    this.#processes = [...nodes, ...others];
  }

  /** Starts a target's nodes, and a Redis without persistence if it needs one. */
  static async start(
    processes: Processes,
    target: Target,
    nodeCount = 1,
    limits: Partial<Limits> = {},
  ): Promise<Servers> {
    const needsRedis = target.kind === "roomcast" ? target.store === "redis" : target.adapter !== "none";
    const redis = needsRedis ? await startRedis(processes) : undefined;
    const names = Array.from({ length: nodeCount }, (_, i) =>
      nodeCount === 1 ? "server" : `server ${"AB"[i]}`,
    );
    const started = await Promise.all(
      names.map((name) =>
        target.kind === "roomcast"
          ? startRoomcast(processes, name, target.store, redis?.url, limits)
          : startPeer(processes, name, target.adapter, redis?.url),
      ),
    );
    const nodes = started.map(({ process }) => process);
    const urls = started.map(({ url }) => url);
    return new Servers(urls, redis?.url ?? "", nodes, redis === undefined ? [] : [redis.process]);
  }

  /** What each process has used so far. @throws Error if one has ended */
  cpu(): CpuTimes {
    return Object.fromEntries(
      this.#processes.map((process) => {
        if (!process.runs) throw new Error(`${process.name} has ended:\n${process.output}`);
        return [process.name, cpuSeconds(process.child.pid!)];
      }),
    );
  }
}

interface Started {
  readonly process: RunProcess;
  readonly url: string;
}

async function startRoomcast(
  processes: Processes,
  name: string,
  store: Store,
  redisUrl: string | undefined,
  limits: Partial<Limits>,
): Promise<Started> {
  const config = join(processes.folder, `${name}.json`);
  writeFileSync(config, JSON.stringify({ limits: { ...LIMITS, ...limits } }));
  const log = redisUrl === undefined ? ["--store", store] : ["--redis-url", redisUrl];
  const data = ["--data", join(processes.folder, `${name}-data`)];
  const args = [SERVE, "serve", "--config", config, "--port", "0", "--log-level", "warn", ...log, ...data];
  const process = startNode(processes, name, `roomcast ${store}`, args);
  const [, url] = await process.prints(/roomcast listens on (\S+)/);
  return { process, url: url! };
}

async function startPeer(
  processes: Processes,
  name: string,
  adapter: PeerAdapter,
  redisUrl = "",
): Promise<Started> {
  const process = startNode(processes, name, `socket.io ${adapter}`, [PEER, adapter, redisUrl]);
  const [, url] = await process.prints(/socket\.io listens on (\S+)/);
  return { process, url: url! };
}

function startNode(processes: Processes, name: string, target: string, args: readonly string[]): RunProcess {
  const profiled = profiles.options(`${target} ${name}`);
  const env = { ...environment(), ...profiled.env };
  return processes.start(name, globalThis.process.execPath, [...profiled.args, ...args], env);
}

async function startRedis(processes: Processes): Promise<Started> {
  const port = await freePort();
  const folder = join(processes.folder, "redis");
  mkdirSync(folder);
  const args = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--dir",
    folder,
    "--save",
    "",
    "--appendonly",
    "no",
  ];
  const process = processes.start("redis", "redis-server", args, environment());
  await process.prints(/Ready to accept connections/);
  return { process, url: `redis://127.0.0.1:${port}` };
}

/** As Express and Socket.IO are run in production. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
  return { ...Object.fromEntries(kept), NODE_ENV: "production" };
}
