import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { isatty } from "node:tty";
import type { Sink } from "./sink.ts";
import { sendLines } from "./stream.ts";

export interface ChildOptions {
  readonly sink: Sink;
  readonly program: string;
  /** Where its outputs are shown as well. */
  readonly echo?: { readonly stdout: Writable; readonly stderr: Writable };
  readonly onStart?: () => void;
}

/** What a shell ends with where it can't run a command. */
const NOT_FOUND = 127;
const NOT_RUNNABLE = 126;
/** And what it adds to the number of the signal that ended one. */
const BY_SIGNAL = 128;
/** An output that a process left behind holds open is waited for until it has been silent for so long, in ms. */
const SILENCE_MS = 1_000;
const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Is thrown for a command that can't be run; `code` is what a shell ends with then. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

/**
 * Runs a command, sends both its outputs and then the event `exit`, and resolves with the code that a shell would give.
 * Signals that this process gets meanwhile are the command's.
 *
 * @throws CommandError
 */
export async function runChild(
  [file, ...args]: readonly [string, ...string[]],
  options: ChildOptions,
): Promise<number> {
  const { sink, program, echo, onStart } = options;
  // A terminal signals the whole group by itself, and only its foreground group may read from it.
  const onTerminal = [0, 1, 2].some((fd) => isatty(fd));
  const child = spawn(file, args, { stdio: ["inherit", "pipe", "pipe"], detached: !onTerminal });
  const stopForwarding = forward(child, onTerminal);
  try {
    await started(child, file);
    onStart?.();
    let heard = performance.now();
    const sending = (["stdout", "stderr"] as const).map((source) =>
      sendLines(child[source], {
        sink,
        origin: { program, source },
        onChunk: () => (heard = performance.now()),
        ...(echo === undefined ? {} : { echo: echo[source] }),
      }),
    );
    const outputs = Promise.all(sending);
    // It is looked at only after the end.
    outputs.catch(() => {});
    const [code, signal] = await exitOf(child);
    await ended(outputs, [child.stdout, child.stderr], () => heard);
    sink.push({ event: "exit", data: { program, code, signal } });
    return code ?? BY_SIGNAL + constants.signals[signal!];
  } finally {
    stopForwarding();
  }
}

async function started(child: ChildProcess, file: string): Promise<void> {
  try {
    await once(child, "spawn");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new CommandError(`${file}: command not found`, NOT_FOUND);
    if (code === "EACCES") throw new CommandError(`${file}: permission denied`, NOT_RUNNABLE);
    throw new CommandError(`${file}: ${message}`, NOT_RUNNABLE);
  }
}

async function exitOf(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  if (child.exitCode !== null || child.signalCode !== null) return [child.exitCode, child.signalCode];
  return (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
}

/** Waits for the ends of the outputs; what the command left running may keep them open for ever. */
async function ended(
  outputs: Promise<unknown>,
  streams: readonly Readable[],
  heard: () => number,
): Promise<void> {
  const exited = performance.now();
  const timer = setInterval(() => {
    const silent = performance.now() - Math.max(heard(), exited) > SILENCE_MS;
    // What has come is read first: a busy process may be late for both.
    if (silent && streams.every(isRead)) setImmediate(() => streams.forEach((stream) => stream.destroy()));
  }, SILENCE_MS / 4);
  await outputs.finally(() => clearInterval(timer));
}

function isRead(stream: Readable): boolean {
  return stream.readableLength === 0;
}

function forward(child: ChildProcess, onTerminal: boolean): () => void {
  const listeners = FORWARDED.map((signal) => {
    const listener = (): void => {
      // The terminal has sent it to the command as well.
      if (onTerminal && signal === "SIGINT") return;
      send(child, signal, !onTerminal);
    };
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  return () => listeners.forEach((stop) => stop());
}

function send(child: ChildProcess, signal: NodeJS.Signals, toGroup: boolean): void {
  if (child.pid === undefined) return;
  try {
    process.kill(toGroup ? -child.pid : child.pid, signal);
  } catch {
    // It has just ended.
  }
}
