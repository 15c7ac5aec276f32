import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Limits } from "../shared/limits.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { RedisProcess } from "./redis-process.ts";
import type { Processes, RunProcess } from "./processes.ts";
import type { RoomPlan } from "./wire.ts";

export const NODES = 3;

/** Clients notice a dead or stopped node within seconds, so that a fault of seconds is one for them. */
const LIMITS: Partial<Limits> = { pingIntervalMs: 2_500, pingTimeoutMs: 2_000 };
/** What no run fills, for rooms that have no bound of their own. */
const KEPT = { messages: 1_000_000, age: "1d" };

const SERVE = fileURLToPath(new URL("../server/cli/main.js", import.meta.url));
const PLANTED = fileURLToPath(new URL("planted/planted-hub.js", import.meta.url));

/** One hub process: reaches Redis through one proxy, and its clients reach it through another. */
export class HubNode {
  readonly name: string;
  readonly toRedis: FaultProxy;
  readonly toHub: FaultProxy;
  readonly #processes: Processes;
  readonly #config: string;
  readonly #program: readonly string[];
  #process: RunProcess | undefined;

  constructor(
    name: string,
    proxies: { readonly toRedis: FaultProxy; readonly toHub: FaultProxy },
    processes: Processes,
    config: string,
    program: readonly string[],
  ) {
    this.name = name;
    this.toRedis = proxies.toRedis;
    this.toHub = proxies.toHub;
    this.#processes = processes;
    this.#config = config;
    this.#program = program;
  }

  /** Where its clients find it. */
  get url(): string {
    return `http://127.0.0.1:${this.toHub.port}`;
  }

  /** Where it is itself, without a proxy. */
  get ownUrl(): string {
    return `http://127.0.0.1:${this.toHub.targetPort}`;
  }

  /** Starts it on a free port, and tries again while Redis is away; resolves when it listens. */
  async start(): Promise<void> {
    const env = {
      ...process.env,
      REDIS_URL: `redis://127.0.0.1:${this.toRedis.port}`,
      ROOMCAST_CONFIG: this.#config,
      LOG_LEVEL: "warn",
      HOST: "127.0.0.1",
      PORT: "0",
    };
    for (let attempt = 1; ; attempt += 1) {
      const [file, ...args] = this.#program;
      this.#process = this.#processes.start(this.name, process.execPath, [file!, ...args], env);
      try {
        const [, port] = await this.#process.prints(/roomcast listens on http:\/\/127\.0\.0\.1:(\d+)/);
        this.toHub.targetPort = Number(port);
        return;
      } catch (error) {
        // It does not start without its Redis, which another fault may just have struck.
        if (attempt === 20) throw error;
        await this.#process.end("SIGKILL");
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.#process?.end(signal, 15_000);
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.signal(signal);
  }
}

/** Three hubs on one Redis, with a proxy in every way between them and to them. */
export class Cluster {
  readonly redis: RedisProcess;
  readonly nodes: readonly HubNode[];
  /** The workers' way to Redis. */
  readonly workers: FaultProxy;

  private constructor(redis: RedisProcess, nodes: readonly HubNode[], workers: FaultProxy) {
    this.redis = redis;
    this.nodes = nodes;
    this.workers = workers;
  }

  /** @param planted bugs for the first node, by name */
  static async start(
    processes: Processes,
    rooms: readonly RoomPlan[],
    planted: readonly string[],
  ): Promise<Cluster> {
    const redis = await RedisProcess.start(processes);
    const config = join(processes.folder, "hub.json");
    const bounded = rooms.filter(({ keeps }) => keeps !== undefined);
    const options = Object.fromEntries(
      bounded.map(({ room, keeps }) => [room, { messages: keeps, age: "1d" }]),
    );
    const kinds = { "stream:*": KEPT, "chat:*": KEPT };
    writeFileSync(config, JSON.stringify({ rooms: { ...kinds, ...options }, limits: LIMITS }));
    const nodes = await Promise.all(
      Array.from({ length: NODES }, async (_, index) => {
        const toRedis = await FaultProxy.start(redis.port, true);
        const toHub = await FaultProxy.start(0);
        const program = index === 0 && planted.length > 0 ? [PLANTED, ...planted] : [SERVE, "serve"];
        const node = new HubNode(`node-${index}`, { toRedis, toHub }, processes, config, program);
        await node.start();
        return node;
      }),
    );
    return new Cluster(redis, nodes, await FaultProxy.start(redis.port, true));
  }

  get urls(): readonly string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** Ends the proxies; the processes end with the run. */
  async close(): Promise<void> {
    const proxies = [this.workers, ...this.nodes.flatMap(({ toRedis, toHub }) => [toRedis, toHub])];
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }
}
