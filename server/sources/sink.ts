import { setTimeout as sleep } from "node:timers/promises";
import type { HubError } from "../../shared/errors.ts";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { randomId } from "../../shared/message-id.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { BatchResult, OutgoingMessage, Publisher } from "../publisher/index.ts";
import { logData, type ExitData, type LogData } from "./entry.ts";

/** What a source hands over. */
export type Entry = {
  /** The same id again is the same entry; one is made if there is none. */
  readonly id?: string;
  /** The hub has it, or it has been told to be lost. */
  readonly onSettled?: () => void;
} & ({ readonly event: "log"; readonly data: LogData } | { readonly event: "exit"; readonly data: ExitData });

export interface SinkOptions {
  readonly publisher: Publisher;
  readonly room: RoomName;
  /** The hub does not take what it gets; it is tried on, and told once. */
  readonly onAway?: (error: HubError) => void;
  readonly onBack?: () => void;
  /** The hub refuses from the very beginning, so nothing will ever arrive. */
  readonly onRefused?: (error: HubError) => void;
  /** What waits for the hub at most; 50,000 entries and 32 MiB. */
  readonly maxEntries?: number;
  readonly maxBytes?: number;
  /** How long one attempt may take before the hub counts as away, in ms; 3,000. */
  readonly timeoutMs?: number;
  /** The longest pause between two attempts, in ms; 5,000. */
  readonly maxPauseMs?: number;
}

/** Whether a source can wait for a hub that is away, as a file can and a running program can't. */
export type Wait = "patient" | "brief";

interface Item extends OutgoingMessage {
  readonly id: string;
  readonly bytes: number;
  readonly origin: Entry;
  readonly onSettled: (() => void) | undefined;
  /** It stands for other entries, and is not replaced in its turn. */
  readonly isMarker: boolean;
}

/** An entry in the place of others that found no room. */
interface Drops {
  item: Item;
  count: number;
}

/** Refusals of one entry, whatever becomes of the others. */
const OF_THE_ENTRY: ReadonlySet<string> = new Set(["too_large", "bad_request", "bad_event"]);
/** The buffer takes entries again when it has so much room: many small holes would be worse than a large one. */
const TAKES_AGAIN = 0.9;
/** What an entry takes beside its data, at most. */
const FRAME_BYTES = 192;

/**
 * Hands entries over to a publisher, in their order, a batch at a time, until the hub has them: attempts are repeated
 * with the same ids. What finds no room while it waits is dropped, and an entry in its place says how much.
 */
export class Sink {
  readonly #options: SinkOptions;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #given = new AbortController();
  #items: Item[] = [];
  #bytes = 0;
  #isAway = false;
  #isDropping = false;
  #hasArrived = false;
  #isReleased = false;
  #running: Promise<void> | undefined;
  readonly #drops = new Map<string, Drops>();
  #waiting: (() => void)[] = [];

  constructor(options: SinkOptions) {
    this.#options = options;
    this.#maxEntries = options.maxEntries ?? 50_000;
    this.#maxBytes = options.maxBytes ?? 32 * 1024 * 1024;
  }

  /** How many entries wait for the hub. */
  get size(): number {
    return this.#items.length;
  }

  get isFull(): boolean {
    return this.#items.length >= this.#maxEntries || this.#bytes >= this.#maxBytes;
  }

  /**
   * Takes an entry. While the hub is away, what finds no room is dropped, unless it comes from a `patient` source or is
   * the end of a program.
   */
  push(entry: Entry, wait: Wait = "brief"): void {
    if (this.#given.signal.aborted) return;
    if (this.#isDropping && this.#isRoomy()) this.#endDropping();
    const mayDrop = entry.event === "log" && wait === "brief";
    if (mayDrop && (this.#isDropping || (this.#isAway && this.isFull))) return this.#drop(entry);
    this.#append(itemOf(this.#options.room, entry));
  }

  /** Waits for room: as long as the hub merely is slower than the source, or also while it is away. */
  async room(wait: Wait = "brief"): Promise<void> {
    while (this.#mustWait(wait)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Ends every wait for room, from now on. */
  release(): void {
    this.#isReleased = true;
    this.#wake();
  }

  /** Resolves when the hub has everything, or after so many ms, or when given up; tells how many entries are left. */
  async flush(ms?: number): Promise<number> {
    if (this.#running === undefined) return this.size;
    const timer = new AbortController();
    const late = ms === undefined ? [] : [sleep(ms, undefined, { signal: timer.signal }).catch(() => {})];
    await Promise.race([this.#running, ...late]);
    timer.abort();
    return this.size;
  }

  /** Ends the attempts; what still waits is lost. */
  giveUp(): void {
    this.#given.abort();
    this.release();
  }

  #mustWait(wait: Wait): boolean {
    return this.isFull && !this.#isReleased && (wait === "patient" || !this.#isAway);
  }

  #append(item: Item): void {
    this.#items.push(item);
    this.#bytes += item.bytes;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#given;
    // What one turn hands over leaves as one batch.
    await Promise.resolve();
    while (this.#items.length > 0 && !signal.aborted) {
      const batch = this.#nextBatch();
      const { publisher, timeoutMs = 3_000 } = this.#options;
      const messages = batch.map(({ room, event, data, id }) => ({ room, event, data, id }));
      const results = await publisher.batch(messages, { timeoutMs, signal }).catch(() => undefined);
      if (results === undefined) break;
      const error = this.#settle(batch, results);
      if (error === undefined) this.#arrived();
      else await this.#failed(error);
      this.#wake();
    }
    this.#running = undefined;
  }

  /** As much as goes in one request: the publisher would send the second one even if the first one fails. */
  #nextBatch(): readonly Item[] {
    let bytes = 0;
    let length = 0;
    for (const item of this.#items) {
      bytes += item.bytes;
      if (length > 0 && (bytes > DEFAULT_LIMITS.batchBytes || length === DEFAULT_LIMITS.batchMessages)) break;
      length += 1;
    }
    const batch = this.#items.slice(0, length);
    // A marker on its way keeps its text, as its id does.
    for (const [source, { item }] of this.#drops) if (batch.includes(item)) this.#drops.delete(source);
    return batch;
  }

  /** Takes from the buffer what needs no other attempt; gives the error of what does. */
  #settle(batch: readonly Item[], results: readonly BatchResult[]): HubError | undefined {
    let failure: HubError | undefined;
    const left: Item[] = [];
    const settled: Item[] = [];
    batch.forEach((item, i) => {
      const result = results[i]!;
      const error = "error" in result ? result.error : undefined;
      // The hub knows this id from an earlier attempt, made by a process that read the line at another time.
      if (error === undefined || error.code === "id_reused") settled.push(item);
      else if (!OF_THE_ENTRY.has(error.code)) {
        failure ??= error;
        left.push(item);
      } else if (item.isMarker || item.event !== "log") settled.push(item);
      else left.push(this.#marker(item.origin, 1, error.code));
    });
    this.#items.splice(0, batch.length, ...left);
    this.#bytes += sum(left) - sum(batch);
    settled.forEach(({ onSettled }) => onSettled?.());
    return failure;
  }

  #arrived(): void {
    this.#hasArrived = true;
    if (this.#isAway) this.#options.onBack?.();
    this.#isAway = false;
  }

  async #failed(error: HubError): Promise<void> {
    // A hub that once took entries may be replaced or set up anew; one that never did will not begin to.
    if (!error.retryable && !this.#hasArrived) {
      this.giveUp();
      return this.#options.onRefused?.(error);
    }
    if (!this.#isAway) this.#options.onAway?.(error);
    this.#isAway = true;
    this.#wake();
    const pause = Math.min(error.retryAfterMs ?? 1_000, this.#options.maxPauseMs ?? 5_000);
    await sleep(pause, undefined, { signal: this.#given.signal }).catch(() => {});
  }

  #drop(entry: Entry & { readonly event: "log" }): void {
    this.#isDropping = true;
    const source = entry.data.source ?? "";
    const drops = this.#drops.get(source);
    if (drops === undefined) {
      const item = this.#marker(entry, 1);
      this.#drops.set(source, { item, count: 1 });
      this.#append(item);
    } else {
      drops.count += 1;
      const { id, onSettled } = drops.item;
      const item = { ...this.#marker(entry, drops.count), id, onSettled };
      // It is near the end: only other sources' markers follow it.
      this.#items[this.#items.lastIndexOf(drops.item)] = item;
      this.#bytes += item.bytes - drops.item.bytes;
      drops.item = item;
    }
    entry.onSettled?.();
  }

  #marker(origin: Entry, count: number, reason = "the hub was away or too slow"): Item {
    const { program, source, timestamp } = origin.data as LogData;
    const text = `${count} ${count === 1 ? "line" : "lines"} dropped (${reason})`;
    const of = source === undefined ? { program } : { program, source };
    const data = { ...logData({ text, bytes: 0 }, of, Date.parse(timestamp)), level: "WARN" as const };
    const { onSettled } = origin;
    const entry: Entry = { event: "log", data, ...(onSettled === undefined ? {} : { onSettled }) };
    return { ...itemOf(this.#options.room, entry), isMarker: true };
  }

  #isRoomy(): boolean {
    return this.#items.length < this.#maxEntries * TAKES_AGAIN && this.#bytes < this.#maxBytes * TAKES_AGAIN;
  }

  #endDropping(): void {
    this.#isDropping = false;
    this.#drops.clear();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach((resolve) => resolve());
  }
}

function itemOf(room: RoomName, entry: Entry): Item {
  const { event, data, id = randomId(), onSettled } = entry;
  const bytes = Buffer.byteLength(JSON.stringify(data)) + FRAME_BYTES;
  return { room, event, data, id, bytes, origin: entry, onSettled, isMarker: false };
}

function sum(items: readonly Item[]): number {
  return items.reduce((bytes, item) => bytes + item.bytes, 0);
}
