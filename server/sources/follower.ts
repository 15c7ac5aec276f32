import { stat } from "node:fs/promises";
import { byAge, generationsOf, type Generation } from "./generations.ts";
import { absent, identityOf, Life, type FileLine } from "./life.ts";
import type { StoredLife } from "./tail-state.ts";

const MOST_TRIES = 20;

export interface FollowerContext {
  /** Every file that is or was read, by whichever follower: a renamed one is not read again under its new name. */
  readonly claimed: Set<string>;
  readonly onLines: (life: Life, lines: readonly FileLine[]) => void;
  /** These contents follow the one before; nothing of them is read until it resolves. */
  readonly onLives: (lives: readonly Life[]) => Promise<void>;
  readonly onEnd: (life: Life) => void;
  readonly onNote: (line: string) => void;
}

/**
 * Follows a log file by its name: over renames, truncations and deletions, each content is read to its end before the
 * next one, also those that came and went between two looks, as far as they are still there under a rotation's name.
 */
export class Follower {
  readonly #path: string;
  readonly #context: FollowerContext;
  /** What is read now, and what comes after it; the last one is what has the name. */
  readonly #lives: Life[] = [];
  /** Generations that were there before. */
  readonly #known = new Set<string>();
  /** Of a process before this one. */
  #stored: readonly StoredLife[] = [];
  /** Generations that were last written before are old, in ns. */
  #since = 0n;

  constructor(path: string, context: FollowerContext) {
    this.#path = path;
    this.#context = context;
  }

  /**
   * Begins at the start or end of the file, if it is there.
   *
   * @throws NotAFile, and the errors of opening a file
   */
  async begin(at: 0 | "end"): Promise<void> {
    for (const { suffix, identity } of await generationsOf(this.#path)) {
      if (suffix !== "") this.#known.add(identity);
    }
    const life = await Life.open(this.#path, at);
    if (life === undefined) return;
    if (this.#context.claimed.has(life.identity)) await life.close();
    else await this.#take([life]);
  }

  /** Goes on where a process before this one stood; false if that content is gone, and what came after it is taken. */
  async resume(stored: readonly StoredLife[]): Promise<boolean> {
    this.#stored = stored;
    const first = stored[0]!;
    this.#since = BigInt(first.mtime);
    let life: Life | "renamed" | undefined = "renamed";
    // Each time a rotation was just going on.
    for (let i = 0; i < MOST_TRIES && life === "renamed"; i += 1) life = await this.#find(first);
    if (life === "renamed" || life === undefined) return false;
    await this.#take([life]);
    return true;
  }

  /** Reads on a little; false if there is nothing to read for now. */
  async step(): Promise<boolean> {
    const life = this.#lives[0];
    if (life === undefined) return this.#discover(undefined, false);
    const read = await life.read();
    if (typeof read !== "string") {
      this.#context.onLines(life, read);
      return true;
    }
    if (this.#lives.length > 1) {
      await this.#finish(life);
      return true;
    }
    if (read === "replaced") return this.#discover(life, true);
    const stats = await stat(this.#path, { bigint: true }).catch(absent);
    const identity = stats === undefined ? undefined : identityOf(stats);
    if (identity === undefined || identity === life.identity) return false;
    return this.#discover(life, false);
  }

  async close(): Promise<void> {
    await Promise.all(this.#lives.splice(0).map((life) => life.close()));
  }

  async #finish(life: Life): Promise<void> {
    this.#context.onLines(life, life.rest());
    this.#lives.shift();
    this.#context.onEnd(life);
    await life.close();
  }

  /** Finds a content of which a process before this one has read the beginning: in its file, or else in a copy. */
  async #find(stored: StoredLife): Promise<Life | "renamed" | undefined> {
    const { identity, fingerprint, offset, key } = stored;
    const all = await generationsOf(this.#path);
    const itself = all.filter((one) => one.identity === identity);
    const others = fingerprint.bytes > 0 ? all.filter((one) => one.identity !== identity) : [];
    for (const one of [...itself, ...others]) {
      const life = await Life.open(one.path, offset, key);
      if (life?.identity === one.identity && life.size >= offset && life.beginsAs(fingerprint)) return life;
      await life?.close();
      if (life?.identity !== one.identity) return "renamed";
    }
    return undefined;
  }

  /** Opens what has the name now, and what had it since the content before; false if there is nothing new. */
  async #discover(before: Life | undefined, isReplaced: boolean): Promise<boolean> {
    const tip = await Life.open(this.#path);
    if (tip === undefined) return false;
    const { claimed } = this.#context;
    const isOwn = isReplaced && tip.identity === before?.identity;
    // As long as it is empty, its writer may still be writing to the one before.
    if (tip.size === 0 || (claimed.has(tip.identity) && !isOwn)) {
      await tip.close();
      return false;
    }
    const missed = this.#missed(await generationsOf(this.#path), before, tip);
    const opened = await openAll(missed, this.#context.onNote);
    if (opened === undefined) {
      await tip.close();
      // A rotation is just going on.
      return false;
    }
    missed.forEach(({ identity }) => this.#known.add(identity));
    const between = before !== undefined && isReplaced ? await withoutCopy(before, opened) : opened;
    await this.#take([...between, tip]);
    return true;
  }

  /** The generations between the content before and the one that has the name now, the oldest first. */
  #missed(generations: readonly Generation[], before: Life | undefined, tip: Life): readonly Generation[] {
    const isNew = ({ identity }: Generation): boolean =>
      !this.#known.has(identity) && !this.#context.claimed.has(identity);
    const isEnd = ({ identity }: Generation): boolean =>
      identity === tip.identity || identity === before?.identity;
    const sorted = byAge(
      generations.filter((one) => isNew(one) || isEnd(one)),
      before?.identity,
    );
    const at = sorted.findIndex(({ identity }) => identity === tip.identity);
    const older = at < 0 ? sorted.filter(({ mtime }) => mtime <= tip.mtime) : sorted.slice(0, at);
    // A truncated file has its old name; where it stands says nothing of its content.
    const from = older.findIndex(({ identity }) => identity === before?.identity);
    const since = before?.mtime ?? this.#since;
    return older.slice(from + 1).filter((one) => isNew(one) && one.mtime >= since);
  }

  async #take(lives: readonly Life[]): Promise<void> {
    for (const life of lives) {
      this.#context.claimed.add(life.identity);
      const stored = this.#stored.find(
        (one) => one.identity === life.identity && life.beginsAs(one.fingerprint),
      );
      if (stored !== undefined && stored.fingerprint.bytes > 0) life.key = stored.key;
    }
    this.#lives.push(...lives);
    await this.#context.onLives(lives);
  }
}

/** Undefined if one of them has just got another name. */
async function openAll(
  generations: readonly Generation[],
  onNote: (line: string) => void,
): Promise<Life[] | undefined> {
  const lives: Life[] = [];
  for (const { path, identity } of generations) {
    let life: Life | undefined;
    try {
      life = await Life.open(path);
    } catch (error) {
      onNote(`${path} can't be read, its lines are missing: ${(error as Error).message}`);
      continue;
    }
    if (life !== undefined) lives.push(life);
    if (life?.identity === identity) continue;
    await Promise.all(lives.map((one) => one.close()));
    return undefined;
  }
  return lives;
}

/** Before a file was truncated it may have been copied: what had not been read of it is read there. */
async function withoutCopy(before: Life, lives: readonly Life[]): Promise<readonly Life[]> {
  for (const life of lives) {
    if (await before.moveTo(life)) return lives.filter((other) => other !== life);
  }
  return lives;
}
