import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RunProcess } from "../../chaos/processes.ts";

const PROFILED = new URL("profiled.js", import.meta.url).href;

/** Takes CPU profiles of server processes, each while its cell is measured and at no other time. */
class Profiles {
  #folder: string | undefined;
  #count = 0;

  /** From now on servers are profiled, into this folder. */
  into(folder: string): void {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
  }

  /** What Node and the environment get so that a server can be profiled; nothing if none is. */
  options(server: string): { readonly args: readonly string[]; readonly env: NodeJS.ProcessEnv } {
    if (this.#folder === undefined) return { args: [], env: {} };
    this.#count += 1;
    const name = `${String(this.#count).padStart(3, "0")} ${server}.cpuprofile`.replaceAll(/[^\w.+-]+/g, "-");
    return { args: ["--import", PROFILED], env: { BENCH_PROFILE: join(this.#folder, name) } };
  }

  /** Begins the profiles of these servers, or ends them and writes them. */
  async toggle(servers: readonly RunProcess[], said: "profile began" | "profile written"): Promise<void> {
    if (this.#folder === undefined) return;
    for (const server of servers) server.signal("SIGUSR2");
    await Promise.all(servers.map((server) => server.prints(new RegExp(said))));
  }
}

export const profiles: Profiles = new Profiles();
