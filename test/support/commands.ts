import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { environment, packageRoot, type Run, type Variables } from "./run-node.ts";
import { until } from "./wait.ts";

const MAIN = join(packageRoot, "dist/server/cli/main.js");

export interface CommandOptions {
  readonly env?: Variables;
  readonly cwd?: string;
  /** Its own process group, which signals then go to: for a shell and what it starts. */
  readonly group?: boolean;
  /** The program and its first arguments; `roomcast` from this checkout's dist if there is none. */
  readonly program?: readonly [string, ...string[]];
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Is a running process that writes down what it prints. */
export class Command {
  out = "";
  err = "";
  readonly process: ChildProcess;
  readonly #exit: Promise<Exit>;
  readonly #group: boolean;

  constructor(args: readonly string[], options: CommandOptions) {
    const { env = {}, cwd = packageRoot, group = false, program = [process.execPath, MAIN] } = options;
    const [file, ...first] = program;
    this.#group = group;
    this.process = spawn(file, [...first, ...args], { cwd, env: environment(env), detached: group });
    this.process.stdout!.setEncoding("utf8").on("data", (text: string) => (this.out += text));
    this.process.stderr!.setEncoding("utf8").on("data", (text: string) => (this.err += text));
    // "close" comes after the last of the output, "exit" may come before.
    this.#exit = once(this.process, "close").then(([code, signal]) => ({ code, signal }));
  }

  /** The lines on standard output. */
  get lines(): string[] {
    return this.out.split("\n").slice(0, -1);
  }

  /** Waits until the output so far has the text, and gives the match. */
  async prints(pattern: RegExp, from: "out" | "err" = "out", ms = 20_000): Promise<RegExpExecArray> {
    try {
      return await until(() => pattern.exec(this[from]), ms);
    } catch (cause) {
      throw new Error(`no ${pattern.source} in:\n${this.out}\n--- stderr:\n${this.err}`, { cause });
    }
  }

  signal(signal: NodeJS.Signals): void {
    const { pid, exitCode, signalCode } = this.process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    process.kill(this.#group ? -pid : pid, signal);
  }

  /** How it ends by itself; kills it if that takes longer than `ms`. */
  async exit(ms = 20_000): Promise<Exit> {
    const late = setTimeout(() => this.signal("SIGKILL"), ms);
    try {
      return await this.#exit;
    } finally {
      clearTimeout(late);
    }
  }

  /** Sends a signal, and tells how it ends. */
  async end(signal: NodeJS.Signals, ms?: number): Promise<Exit> {
    this.signal(signal);
    return this.exit(ms);
  }
}

/** A hub in a process of its own. */
export interface ServeCommand extends Command {
  readonly url: string;
}

/** Starts commands for one test, and ends them all. */
export class Commands {
  readonly #commands = new Set<Command>();
  /** A test run that is interrupted must not leave a process behind. */
  readonly #atExit = (): void => this.#commands.forEach((command) => command.signal("SIGKILL"));

  constructor() {
    process.once("exit", this.#atExit);
  }

  start(args: readonly string[], options: CommandOptions = {}): Command {
    const command = new Command(args, options);
    this.#commands.add(command);
    return command;
  }

  /** Runs a command to its end, or kills it after `ms`. */
  async run(
    args: readonly string[],
    { input = "", ms, ...options }: CommandOptions & { readonly input?: string; readonly ms?: number } = {},
  ): Promise<Run> {
    const command = this.start(args, options);
    command.process.stdin!.on("error", () => {}).end(input);
    const { code } = await command.exit(ms);
    return { out: command.out, err: command.err, code };
  }

  /** Starts `roomcast serve`, on a free port unless the arguments name one; resolves when it listens. */
  async serve(args: readonly string[] = [], options: CommandOptions = {}): Promise<ServeCommand> {
    const port = args.includes("--port") ? [] : ["--port", "0"];
    const command = this.start(["serve", ...port, ...args], options);
    const [, url] = await command.prints(/^roomcast listens on (\S+)$/m);
    return Object.assign(command, { url: url! });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#commands].map((command) => command.end("SIGKILL")));
    this.#commands.clear();
    process.off("exit", this.#atExit);
  }
}
