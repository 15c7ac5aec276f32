import { fork, spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** How much of a process's last output an error tells, in characters. */
const LAST_WORDS = 2_000;

/** A process that a run has started. */
export class RunProcess {
  readonly name: string;
  readonly child: ChildProcess;
  /** The last of what it printed. */
  output = "";

  constructor(name: string, child: ChildProcess, log: NodeJS.WritableStream | undefined) {
    this.name = name;
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output = (this.output + text).slice(-LAST_WORDS);
        log?.write(text);
      });
    }
    child.once("exit", () => log?.end());
    // Of a message to a process that has just ended.
    child.on("error", () => {});
  }

  get runs(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.runs) this.child.kill(signal);
  }

  /** Sends a signal and waits for the end, which SIGKILL brings after `ms` at the latest. */
  async end(signal: NodeJS.Signals, ms = 10_000): Promise<void> {
    if (!this.runs) return;
    const ended = once(this.child, "exit");
    const late = setTimeout(() => this.signal("SIGKILL"), ms);
    this.signal(signal);
    await ended;
    clearTimeout(late);
  }

  /** Waits for a text in its output; rejects if it ends before, or takes longer than `ms`. */
  async prints(pattern: RegExp, ms = 15_000): Promise<RegExpExecArray> {
    const end = Date.now() + ms;
    for (;;) {
      const match = pattern.exec(this.output);
      if (match !== null) return match;
      if (!this.runs || Date.now() > end)
        throw new Error(`${this.name} ${this.runs ? "takes too long" : "has ended"}:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** The processes of one run and their folder, none of which outlives it. */
export class Processes {
  /** For data; removed at the end. */
  readonly folder: string;
  readonly #logs: string | undefined;
  readonly #processes = new Set<RunProcess>();
  readonly #reaper: ChildProcess;
  readonly #atExit = (): void => this.#killAll();
  #started = 0;

  /**
   * @param logs where what the processes print is kept
   * @param purpose a part of the folder's name
   */
  constructor(logs?: string, purpose = "chaos") {
    this.folder = mkdtempSync(join(tmpdir(), `roomcast-${purpose}-`));
    this.#logs = logs;
    if (logs !== undefined) mkdirSync(logs, { recursive: true });
    // A run that is killed itself can't clean up; who notices its end can.
    this.#reaper = fork(fileURLToPath(new URL("reaper.js", import.meta.url)), [this.folder], {
      detached: true,
      execArgv: [],
    });
    this.#reaper.on("error", () => {});
    process.once("exit", this.#atExit);
  }

  /** Starts a program. Signals from the terminal do not reach it. */
  start(name: string, file: string, args: readonly string[], env: NodeJS.ProcessEnv): RunProcess {
    return this.#add(name, spawn(file, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] }));
  }

  /** Starts one of our modules, with a channel for messages. */
  fork(name: string, module: string): RunProcess {
    const stdio: StdioOptions = ["ignore", "pipe", "pipe", "ipc"];
    const file = fileURLToPath(new URL(module, import.meta.url));
    return this.#add(
      name,
      fork(file, [], { stdio, execArgv: [], detached: true, serialization: "advanced" }),
    );
  }

  /** Ends all of them and removes the folder. */
  async end(): Promise<void> {
    await Promise.all([...this.#processes].map((one) => one.end("SIGKILL")));
    process.off("exit", this.#atExit);
    rmSync(this.folder, { recursive: true, force: true });
    this.#reaper.disconnect();
  }

  #add(name: string, child: ChildProcess): RunProcess {
    this.#started += 1;
    const log =
      this.#logs === undefined
        ? undefined
        : createWriteStream(join(this.#logs, `${String(this.#started).padStart(3, "0")}-${name}.log`));
    const one = new RunProcess(name, child, log);
    this.#processes.add(one);
    child.once("exit", () => {
      this.#processes.delete(one);
      this.#tellReaper({ ended: child.pid });
    });
    this.#tellReaper({ started: child.pid });
    return one;
  }

  #tellReaper(news: object): void {
    if (this.#reaper.connected) this.#reaper.send(news);
  }

  #killAll(): void {
    for (const one of this.#processes) one.signal("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
