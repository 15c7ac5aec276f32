import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LeaseTimes } from "../../server/stores/redis/node-leases.ts";
import type { RoomName } from "../../shared/room-name.ts";
import { bundleStore } from "./bundled-store.ts";
import { until } from "./wait.ts";

const program = fileURLToPath(new URL("presence-process.mjs", import.meta.url));

/** Starts nodes in processes of their own, out of one bundle of the Redis store. */
export class PresenceProcesses {
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];

  constructor() {
    this.#folder = bundleStore("redis-broker.ts");
  }

  /** Resolves with what kills the node, as `kill -9`, when it has said who is present there. */
  async start(
    url: string,
    times: Partial<LeaseTimes>,
    room: RoomName,
    people: Readonly<Record<string, string>>,
  ): Promise<() => Promise<void>> {
    const bundle = join(this.#folder, "store.mjs");
    const args = [program, bundle, url, JSON.stringify(times), room, ...Object.entries(people).flat()];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#children.push(child);
    let output = "";
    child.stdout.on("data", (text) => (output += String(text)));
    await until(() => output.includes("present"), 20_000);
    return async () => {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    };
  }

  end(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
