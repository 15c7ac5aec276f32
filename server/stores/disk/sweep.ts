import type { Database, Entry, Write } from "./database.ts";
import { firstKept, Messages, presentOf } from "./log-reader.ts";
import { decodeRoom, encodeRoom, idKey, logKey, logOfKey, type RoomRecord } from "./records.ts";

/** What one step looks at, and what it deletes, at most: about 3 ms of this thread. */
const ROOMS_PER_STEP = 200;
const DELETES_PER_STEP = 500;
const FIRST = Buffer.alloc(1);

export interface SweepOptions {
  readonly database: Database;
  readonly idempotencyMs: number;
  /** Gets what is wrong with a room, which the sweep then leaves as it is. */
  readonly onError: (error: unknown) => void;
}

/** Deletes what no reader can see any more, room by room, in steps that are one small commit each. */
export class Sweep {
  readonly #database: Database;
  readonly #idempotencyMs: number;
  readonly #onError: (error: unknown) => void;
  #cursor = FIRST;
  #done = false;

  constructor({ database, idempotencyMs, onError }: SweepOptions) {
    this.#database = database;
    this.#idempotencyMs = idempotencyMs;
    this.#onError = onError;
  }

  /** All rooms have been looked at, and all logs that are over are gone. */
  get isDone(): boolean {
    return this.#done;
  }

  /** The next step's writes, with respect to what is committed. */
  step(now: number): Write[] {
    const writes: Write[] = [];
    const rooms = this.#database.entries("rooms", { start: this.#cursor, limit: ROOMS_PER_STEP });
    let looked = 0;
    for (const { key, value } of rooms) {
      // A room of which something is left over is the first one of the next step.
      if (writes.length >= DELETES_PER_STEP) return writes;
      looked += 1;
      this.#sweepRoom({ key, value }, now, writes);
      if (writes.length < DELETES_PER_STEP) this.#cursor = Buffer.concat([key, FIRST]);
      else this.#cursor = Buffer.from(key);
    }
    // Which logs are over is only to be seen when this step has been committed.
    if (looked === ROOMS_PER_STEP || writes.length > 0) return writes;
    this.#sweepDead(writes);
    this.#done = writes.length < DELETES_PER_STEP;
    return writes;
  }

  #sweepRoom({ key, value }: Entry, now: number, writes: Write[]): void {
    try {
      const record = decodeRoom(key, value);
      if (now >= record.forgetAt) {
        writes.push(...this.#database.endLog(Buffer.from(key), record.log));
        return;
      }
      const first = firstKept(new Messages(this.#database, record.log), record, now);
      const until = this.#database.deleteMessages(record, first, DELETES_PER_STEP - writes.length, writes);
      this.#sweepIds(record, now, writes);
      if (until === record.swept && first === record.first) return;
      const owned = Buffer.from(key);
      writes.push({
        table: "rooms",
        key: owned,
        value: encodeRoom(owned, { ...record, first, swept: until }),
      });
    } catch (error) {
      this.#onError(error);
    }
  }

  #sweepIds(record: RoomRecord, now: number, writes: Write[]): void {
    const windows = Math.floor((presentOf(record, now) - record.rotatedAt) / this.#idempotencyMs);
    // The next append makes a new generation, or two, before it looks.
    const oldest = record.generation - 1 + Math.min(2, Math.max(0, windows));
    const range = { start: idKey(record.log, 0, ""), end: idKey(record.log, oldest, "") };
    this.#delete("ids", range, writes);
  }

  #sweepDead(writes: Write[]): void {
    for (const key of this.#database.keys("dead", { start: FIRST })) {
      const log = logOfKey(key);
      const range = { start: logKey(log), end: logKey(log + 1) };
      this.#delete("messages", range, writes);
      this.#delete("ids", range, writes);
      if (writes.length >= DELETES_PER_STEP) return;
      writes.push({ table: "dead", key: logKey(log) });
    }
  }

  #delete(table: "messages" | "ids", range: { start: Buffer; end: Buffer }, writes: Write[]): void {
    const limit = DELETES_PER_STEP - writes.length;
    if (limit <= 0) return;
    for (const key of this.#database.keys(table, { ...range, limit }))
      writes.push({ table, key: Buffer.from(key) });
  }
}
