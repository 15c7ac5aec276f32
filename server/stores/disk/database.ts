import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Database as Table, open, type RootDatabase } from "lmdb";
import type { RoomName } from "../../../shared/room-name.ts";
import { DataFolderError } from "./data-folder-error.ts";
import { checkFormat, checkLength, writeFormat } from "./data-file.ts";
import { isFull, StoreFull } from "./full-disk.ts";
import { decodeRoom, logKey, messageKey, offsetOfKey, roomKey, type RoomRecord } from "./records.ts";

/** When an append is acknowledged: when it is safe from a power failure, or when the system has it. */
export type Durability = "synced" | "written";

const TABLES = ["about", "rooms", "messages", "ids", "dead"] as const;
export type TableName = (typeof TABLES)[number];

/** Puts a value, or removes the key if there is none. */
export interface Write {
  readonly table: TableName;
  readonly key: Buffer;
  readonly value?: Buffer;
}

export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface KeyRange {
  readonly start: Buffer;
  /** Not included. */
  readonly end?: Buffer;
  readonly limit?: number;
}

/** How much a store holds. */
export interface StoreSize {
  /** Rooms that have an identity, also those without messages. */
  readonly rooms: number;
  /** What the folder's data file takes; it is used again, and never shrinks. */
  readonly bytes: number;
}

const ENCODING = { keyEncoding: "binary", encoding: "binary" } as const;
const LOGS = Buffer.from("logs");
/** What LMDB can take as a key, less the byte that is put before a room's name. */
export const LONGEST_NAME_BYTES = 1_977;

/**
 * Opens a data folder's tables. Without waiting for syncs LMDB keeps a third meta page, the last one that is safe from a
 * failure of the machine, and looks at it only when it is opened in that way again.
 *
 * @throws DataFolderError `newer` or `damaged`
 */
export async function openDatabase(folder: string, durability: Durability): Promise<Database> {
  const marker = join(folder, "unsynced");
  if (durability === "written") writeFileSync(marker, "", { flush: true });
  else if (existsSync(marker)) {
    const before = new Database(folder, "written");
    await before.commit([{ table: "about", key: Buffer.from("synced"), value: Buffer.alloc(1) }]);
    await before.close();
    rmSync(marker);
  }
  return new Database(folder, durability);
}

/** The tables of a data folder, in one LMDB file. Reads see what is committed; only one commit may be under way. */
export class Database {
  readonly #folder: string;
  readonly #file: string;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #tables: ReadonlyMap<TableName, Table<Buffer, Buffer>>;
  #logs: number;

  /** @throws DataFolderError `newer` or `damaged` */
  constructor(folder: string, durability: Durability) {
    this.#folder = folder;
    this.#file = join(folder, "rooms.mdb");
    checkFormat(folder, this.#file);
    checkLength(folder, this.#file);
    // Before the first table is made: a folder without it would pass for a damaged one.
    writeFormat(folder);
    try {
      this.#root = open<Buffer, Buffer>({
        path: this.#file,
        noSubdir: true,
        maxDbs: TABLES.length,
        // A commit is resolved when it is on disk; with overlapping sync, when it is written.
        overlappingSync: durability === "written",
        // Else a promise that nobody gets to see rejects with each commit that fails, and ends the process.
        eventTurnBatching: false,
        ...ENCODING,
      });
      const tables = TABLES.map((name) => [name, this.#root.openDB({ name, ...ENCODING })] as const);
      this.#tables = new Map(tables);
      this.#logs = this.get("about", LOGS)?.readUIntBE(0, 6) ?? 0;
    } catch (cause) {
      throw this.damaged((cause as Error).message, cause);
    }
  }

  damaged(what: string, cause?: unknown): DataFolderError {
    const message = `the data folder ${this.#folder} is damaged (${what}): put a copy of it back, or start with an empty folder`;
    return new DataFolderError("damaged", this.#folder, message, { cause });
  }

  get(table: TableName, key: Buffer): Buffer | undefined {
    return this.#table(table).get(key);
  }

  entries(table: TableName, range: KeyRange): Iterable<Entry> {
    return this.#table(table).getRange(range);
  }

  keys(table: TableName, range: KeyRange): Iterable<Buffer> {
    return this.#table(table).getKeys(range);
  }

  /** A number for a log that begins with this commit. */
  newLog(): number {
    this.#logs += 1;
    return this.#logs;
  }

  /** What a log's first commit needs: its number is taken, and an earlier log of the room is over. */
  beginLog(room: RoomName, log: number): Write[] {
    const value = logKey(log);
    const writes: Write[] = [{ table: "about", key: LOGS, value }];
    for (const hasMessages of [true, false]) {
      const key = roomKey(room, hasMessages);
      const old = this.get("rooms", key);
      if (old !== undefined) writes.push(...this.endLog(key, decodeRoom(key, old).log));
    }
    return writes;
  }

  /** Takes a room away; what its log still has is deleted by and by. */
  endLog(key: Buffer, log: number): Write[] {
    return [
      { table: "rooms", key },
      { table: "dead", key: logKey(log), value: Buffer.alloc(1) },
    ];
  }

  /**
   * Deletes blocks all of whose messages are before an offset.
   *
   * @returns the first message that may still be there
   */
  deleteMessages({ log, swept }: RoomRecord, before: number, most: number, writes: Write[]): number {
    if (swept >= before) return swept;
    const range = { start: messageKey(log, swept), end: messageKey(log, before), limit: most };
    let deleted = 0;
    let until = swept;
    for (const key of this.keys("messages", range)) {
      writes.push({ table: "messages", key: Buffer.from(key) });
      until = offsetOfKey(key) + 1;
      deleted += 1;
    }
    return deleted < most ? before : until;
  }

  /**
   * Makes all writes or none.
   *
   * @throws StoreFull if there was no room for them; any other error leaves it open whether they were made
   */
  async commit(writes: readonly Write[]): Promise<void> {
    try {
      await this.#root.batch(() => {
        for (const { table, key, value } of writes) {
          if (value === undefined) void this.#table(table).remove(key);
          else void this.#table(table).put(key, value);
        }
      });
    } catch (error) {
      // LMDB rejects at once and tells the reason by another promise.
      const { commitError } = error as { commitError?: Promise<never> };
      const reason: unknown = await commitError?.catch((cause: unknown) => cause);
      const bytes = writes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
      if (await isFull(this.#folder, reason, bytes)) throw new StoreFull(reason);
      throw reason ?? error;
    }
  }

  size(): StoreSize {
    const { entryCount } = this.#table("rooms").getStats() as { entryCount: number };
    return { rooms: entryCount, bytes: statSync(this.#file).size };
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  #table(name: TableName): Table<Buffer, Buffer> {
    return this.#tables.get(name)!;
  }
}
