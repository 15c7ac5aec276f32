import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
import { requireRedisServer } from "./programs.mjs";
import { until } from "./wait.ts";

/** Is a real Redis of a test's own, on a free port, empty and without persistence unless its arguments say otherwise. */
export class RedisServer {
  readonly port: number;
  readonly #folder: string;
  readonly args: readonly string[];
  #process: ChildProcess | undefined;
  /** A test that fails or is interrupted must not leave a server behind, least of all a stopped one. */
  readonly #atExit = (): void => void this.#process?.kill("SIGKILL");

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.args = args;
    this.#folder = mkdtempSync(join(tmpdir(), "roomcast-redis-"));
    process.once("exit", this.#atExit);
  }

  static async start(...args: string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), args);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts the server again, on its port and with whatever it has saved. */
  async start(): Promise<void> {
    const basics = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.#folder];
    const child = spawn(requireRedisServer(), [...basics, "--save", "", "--appendonly", "no", ...this.args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    let output = "";
    child.stdout.on("data", (text) => (output += String(text)));
    child.stderr.on("data", (text) => (output += String(text)));
    await until(() => {
      if (child.exitCode !== null) throw new Error(`redis-server ended: ${output}`);
      return output.includes("Ready to accept connections");
    });
  }

  /** As `kill -9`: nothing is saved, connections are reset. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** Lets it hang: connections stay open and are still accepted by the kernel, nothing is answered. */
  hang(): void {
    this.#process?.kill("SIGSTOP");
  }

  wake(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Sends one command over a connection of its own. */
  async command(...args: (string | Buffer)[]): Promise<unknown> {
    const client = createClient({ url: this.url });
    client.on("error", () => {});
    await client.connect();
    try {
      return await client.sendCommand(args);
    } finally {
      client.destroy();
    }
  }

  async stop(): Promise<void> {
    await this.kill();
    process.off("exit", this.#atExit);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Limits where a test is about no deadline: a busy machine must not make it one. */
export const PATIENT = { redisConnectMs: 20_000, redisCommandMs: 20_000 } as const;

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
