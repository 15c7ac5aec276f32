import { open, readFile, rename } from "node:fs/promises";
import { absent, type Fingerprint, type Life } from "./life.ts";

/** One content of a file, for a later process to go on after what the hub has of it. */
export interface StoredLife {
  readonly key: string;
  readonly identity: string;
  readonly fingerprint: Fingerprint;
  /** Up to where the hub has it. */
  readonly offset: number;
  /** When it was last written, in ns. */
  readonly mtime: string;
}

interface Stored {
  readonly version: 1;
  /** In Unix milliseconds. */
  readonly savedAt: number;
  /** Of each file what is not all at the hub, the oldest first. */
  readonly files: Readonly<Record<string, readonly StoredLife[]>>;
}

interface Tracked {
  readonly life: Life;
  offset: number;
  hasEnded: boolean;
}

/** Is thrown for a state file that has something else in it. */
export class StateError extends Error {
  override readonly name = "StateError";
}

/** Remembers in a file how far the hub has each followed file. */
export class TailState {
  readonly #file: string;
  readonly #before: Stored | undefined;
  readonly #files = new Map<string, Tracked[]>();
  #isDirty = false;
  #saving: Promise<void> = Promise.resolve();

  private constructor(file: string, before: Stored | undefined) {
    this.#file = file;
    this.#before = before;
  }

  /** @throws StateError */
  static async load(file: string): Promise<TailState> {
    const text = await readFile(file, "utf8").catch(absent);
    return new TailState(file, text === undefined ? undefined : parse(text, file));
  }

  /** When the process before this one saved last, in Unix milliseconds; undefined if there was none. */
  get savedAt(): number | undefined {
    return this.#before?.savedAt;
  }

  /** What the process before this one left of a file. */
  before(path: string): readonly StoredLife[] {
    return this.#before?.files[path] ?? [];
  }

  /** Takes lives up, the oldest first; resolves when their keys are on the disk, so that no id is lost. */
  async track(path: string, lives: readonly Life[]): Promise<void> {
    const tracked = this.#files.get(path) ?? [];
    tracked.push(...lives.map((life) => ({ life, offset: life.position, hasEnded: false })));
    this.#files.set(path, tracked);
    this.#isDirty = true;
    await this.save();
  }

  /** The hub has a life up to an offset. */
  settled(path: string, life: Life, offset: number): void {
    const tracked = this.#files.get(path)?.find((one) => one.life === life);
    if (tracked === undefined) return;
    tracked.offset = offset;
    this.#isDirty = true;
    this.#forget(path);
  }

  ended(path: string, life: Life): void {
    const tracked = this.#files.get(path)?.find((one) => one.life === life);
    if (tracked === undefined) return;
    tracked.hasEnded = true;
    this.#isDirty = true;
    this.#forget(path);
  }

  /** Replaces the file, if there is something new, by a whole one: never is there half a state. */
  save(): Promise<void> {
    this.#saving = this.#saving.catch(() => {}).then(() => this.#save());
    return this.#saving;
  }

  async #save(): Promise<void> {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    const files = Object.fromEntries([...this.#files].map(([path, lives]) => [path, lives.map(storedOf)]));
    // What is not followed this time may be the next time.
    const state: Stored = { version: 1, savedAt: Date.now(), files: { ...this.#before?.files, ...files } };
    const draft = `${this.#file}.${process.pid}.tmp`;
    const handle = await open(draft, "w", 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(state)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, this.#file);
  }

  /** The last one stays: a file goes on where it ends. */
  #forget(path: string): void {
    const lives = this.#files.get(path)!;
    while (lives.length > 1 && lives[0]!.hasEnded && lives[0]!.offset >= lives[0]!.life.position)
      lives.shift();
  }
}

function storedOf({ life, offset }: Tracked): StoredLife {
  const { key, identity, fingerprint, mtime } = life;
  return { key, identity, fingerprint, offset, mtime: String(mtime) };
}

function parse(text: string, file: string): Stored {
  try {
    const state = JSON.parse(text) as Stored;
    if (state.version === 1 && Object.values(state.files).every(areLives)) return state;
  } catch {
    // Said below.
  }
  throw new StateError(
    `${file} is no state of roomcast tail: delete it to begin anew, or name another --state`,
  );
}

function areLives(lives: unknown): boolean {
  return Array.isArray(lives) && lives.every(isLife);
}

function isLife(life: unknown): boolean {
  const { key, identity, fingerprint, offset, mtime } = (life ?? {}) as Partial<StoredLife>;
  return (
    typeof key === "string" &&
    typeof identity === "string" &&
    typeof fingerprint?.bytes === "number" &&
    Number.isSafeInteger(offset) &&
    /^\d+$/.test(mtime ?? "")
  );
}
