import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import type { Processes, RunProcess } from "./processes.ts";

const OLDEST = 7;

/** Why there is no Redis to run. */
export class RedisMissing extends Error {
  override readonly name = "RedisMissing";
}

/** @throws RedisMissing, saying how to get one, unless a `redis-server` of version 7 or newer is on PATH */
export function requireRedis(who = "chaos"): void {
  const advice = `${who} runs a Redis of its own and needs redis-server ${OLDEST} or newer on PATH:\n  apt-get install redis-server | brew install redis | dnf install redis`;
  let version: string | undefined;
  try {
    version = /v=(\d+)\./.exec(execFileSync("redis-server", ["--version"], { encoding: "utf8" }))?.[1];
  } catch (cause) {
    throw new RedisMissing(`redis-server is not there. ${advice}`, { cause });
  }
  if (Number(version) < OLDEST) throw new RedisMissing(`this redis-server is version ${version}. ${advice}`);
}

/**
 * A real Redis on a port of its own, with an append-only file that is written before anything is answered or sent: no
 * kill of its process loses anything.
 */
export class RedisProcess {
  readonly port: number;
  readonly #processes: Processes;
  readonly #data: string;
  readonly #snapshot: string;
  #process: RunProcess | undefined;

  private constructor(processes: Processes, port: number) {
    this.port = port;
    this.#processes = processes;
    this.#data = join(processes.folder, "redis");
    this.#snapshot = join(processes.folder, "snapshot");
    mkdirSync(this.#data);
  }

  static async start(processes: Processes): Promise<RedisProcess> {
    const redis = new RedisProcess(processes, await freePort());
    await redis.start();
    return redis;
  }

  /** Starts it, with the data that it has; resolves when it answers. */
  async start(): Promise<void> {
    const args = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.#data, "--save", ""];
    const durable = ["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"];
    this.#process = this.#processes.start("redis", "redis-server", [...args, ...durable], process.env);
    await this.#process.prints(/Ready to accept connections/);
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.#process?.end(signal);
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.signal(signal);
  }

  /** Keeps what it has now. A copy of the append-only file is the log up to here: its end, if cut, is left out. */
  snapshot(): void {
    rmSync(this.#snapshot, { recursive: true, force: true });
    cpSync(this.#data, this.#snapshot, { recursive: true });
  }

  /** Gives it, while it is down, the data of the snapshot. */
  rollBack(): void {
    rmSync(this.#data, { recursive: true, force: true });
    cpSync(this.#snapshot, this.#data, { recursive: true });
  }
}

/** A port that nobody has, as long as nobody takes it. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
