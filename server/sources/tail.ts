import { stat } from "node:fs/promises";
import { basename, isAbsolute, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { glob, isDynamicPattern } from "tinyglobby";
import { logData } from "./entry.ts";
import { Follower } from "./follower.ts";
import { isGenerationOf } from "./generations.ts";
import { absent, NotAFile, type FileLine, type Life } from "./life.ts";
import type { Sink } from "./sink.ts";
import type { TailState } from "./tail-state.ts";

export interface TailOptions {
  readonly sink: Sink;
  /** Instead of each file's name. */
  readonly program?: string;
  readonly state?: TailState;
  /** Files that are already there are sent whole, not only what comes from now on. */
  readonly fromStart?: boolean;
  readonly onNote: (line: string) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

const POLL_MS = 100;
/** How often patterns are looked up again, and the state is saved, in ms. */
const GLOB_MS = 1_000;
const SAVE_MS = 250;

/**
 * Follows files, those that patterns match included, until it is told to end. What the hub does not take stays in the
 * files.
 *
 * @throws NotAFile, and the errors of opening a file
 */
export async function tail(patterns: readonly string[], options: TailOptions): Promise<void> {
  const tails = new Tails(options);
  await tails.find(patterns, true);
  await tails.run(patterns);
}

class Tails {
  readonly #options: TailOptions;
  readonly #followers = new Map<string, Follower>();
  readonly #claimed = new Set<string>();
  readonly #told = new Map<string, string>();

  constructor(options: TailOptions) {
    this.#options = options;
  }

  /** Begins to follow what is not followed yet. */
  async find(patterns: readonly string[], isFirst: boolean): Promise<void> {
    for (const pattern of patterns) {
      if (isFirst && !(await isPattern(pattern))) await this.#follow(pattern, true);
    }
    for (const pattern of patterns) {
      if (!(await isPattern(pattern))) continue;
      const paths = await glob(pattern, { absolute: isAbsolute(pattern), expandDirectories: false });
      for (const path of paths.toSorted()) {
        const others = [...paths, ...this.#followers.keys()];
        // The follower of the log itself reads its rotated files, as far as they are new.
        if (others.some((other) => isGenerationOf(resolve(path), resolve(other)))) continue;
        await this.#follow(path, isFirst).catch((error: unknown) => this.#tell(path, error));
      }
    }
  }

  async run(patterns: readonly string[]): Promise<void> {
    const { signal, state } = this.#options;
    let [globbed, saved] = [performance.now(), performance.now()];
    while (!signal.aborted) {
      let isIdle = true;
      for (const [path, follower] of this.#followers) {
        if (signal.aborted) break;
        const hasRead = await follower.step().catch((error: unknown) => this.#tell(path, error));
        if (hasRead) isIdle = false;
        await this.#options.sink.room("patient");
      }
      if (performance.now() - saved > SAVE_MS) {
        await state?.save().catch((error: unknown) => this.#tell("the state", error));
        saved = performance.now();
      }
      if (performance.now() - globbed > GLOB_MS) {
        await this.find(patterns, false);
        globbed = performance.now();
      }
      if (isIdle) await sleep(POLL_MS, undefined, { signal }).catch(() => {});
    }
    await Promise.all([...this.#followers.values()].map((follower) => follower.close()));
  }

  async #follow(path: string, isFirst: boolean): Promise<void> {
    const full = resolve(path);
    if (this.#followers.has(full)) return;
    const { state, onNote } = this.#options;
    const follower = new Follower(full, {
      claimed: this.#claimed,
      onLines: (life, lines) => this.#send(path, life, lines),
      onLives: async (lives) => state?.track(full, lives),
      onEnd: (life) => state?.ended(full, life),
      onNote,
    });
    const stored = state?.before(full) ?? [];
    if (stored.length > 0) {
      if (!(await follower.resume(stored)))
        onNote(`${path}: what was read last time is gone, going on with what is there`);
    } else {
      const from = isFirst ? await this.#start(full) : 0;
      if (from === undefined) onNote(`${path} is not there yet, waiting for it`);
      await follower.begin(from ?? 0);
    }
    this.#followers.set(full, follower);
  }

  /** Where an unknown file begins; undefined if it is not there. */
  async #start(path: string): Promise<0 | "end" | undefined> {
    const stats = await stat(path).catch(absent);
    if (stats === undefined) return undefined;
    const { fromStart = false, state } = this.#options;
    const isNew = state?.savedAt !== undefined && stats.birthtimeMs > state.savedAt;
    return fromStart || isNew ? 0 : "end";
  }

  #send(path: string, life: Life, lines: readonly FileLine[]): void {
    const { sink, program = basename(path), state } = this.#options;
    const now = Date.now();
    const full = resolve(path);
    for (const line of lines) {
      const data = logData(line, { program, source: path }, now);
      const onSettled = (): void => state?.settled(full, life, line.offset);
      sink.push({ event: "log", data, id: `${life.key}.${line.offset}`, onSettled }, "patient");
    }
  }

  /** Once, for it is tried again every moment. */
  #tell(path: string, error: unknown): false {
    const { message } = error as Error;
    if (error instanceof NotAFile && !this.#followers.has(resolve(path))) return false;
    if (this.#told.get(path) !== message) this.#options.onNote(`${path}: ${message}`);
    this.#told.set(path, message);
    return false;
  }
}

/** A file may well have a bracket in its name. */
async function isPattern(text: string): Promise<boolean> {
  return isDynamicPattern(text) && (await stat(text).catch(absent)) === undefined;
}
