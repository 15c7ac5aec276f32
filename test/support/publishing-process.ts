import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Published } from "../../shared/protocol.ts";
import { environment, packageRoot, type Variables } from "./run-node.ts";
import { until } from "./wait.ts";

const program = fileURLToPath(new URL("publishing-process.mjs", import.meta.url));

interface Report {
  readonly started?: number;
  readonly results?: readonly Published[];
  readonly error?: string;
}

/** Is a process that publishes in waves, out of the built package. */
export class PublishingProcess {
  readonly #child: ChildProcess;
  readonly results: Published[] = [];
  #started = 0;
  #error: string | undefined;

  constructor(from: number, env: Variables) {
    this.#child = fork(program, [String(from)], { env: environment(env), cwd: packageRoot, execArgv: [] });
    this.#child.on("message", ({ started, results, error }: Report) => {
      this.#started += started ?? 0;
      this.results.push(...(results ?? []));
      this.#error ??= error;
    });
  }

  /** Publishes one more wave; resolves when it is under way. */
  async start(room: string, count: number): Promise<void> {
    const before = this.#started;
    this.#child.send({ room, count });
    await until(() => this.#started === before + count, 20_000);
  }

  /** Resolves when so many messages are answered. */
  async answered(count: number): Promise<void> {
    await until(() => this.#error !== undefined || this.results.length === count, 40_000);
    if (this.#error !== undefined) throw new Error(this.#error);
  }

  /** Lets go of the process, and gives its exit code when it has ended by itself. */
  async end(): Promise<unknown> {
    const ended = once(this.#child, "exit");
    this.#child.disconnect();
    const [code] = (await ended) as [number | null];
    return code;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
