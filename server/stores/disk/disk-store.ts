import { mkdirSync, realpathSync } from "node:fs";
import { HubError, toHubError } from "../../../shared/errors.ts";
import { DEFAULT_LIMITS } from "../../../shared/limits.ts";
import { ephemeralTail } from "../../../shared/packet.ts";
import type { Position } from "../../../shared/position.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type {
  Appended,
  CheckResult,
  Draft,
  EphemeralDraft,
  HistoryPage,
  HistoryQuery,
  LogEnds,
  Retention,
  RoomsPage,
  RoomsQuery,
} from "../../hub/broker.ts";
import type { LocalStore } from "../local-broker.ts";
import { type LocalNode, LocalNodes } from "../local-nodes.ts";
import { CommitQueue } from "./commit-queue.ts";
import { DataFolderError } from "./data-folder-error.ts";
import { type Database, type Durability, openDatabase, type StoreSize } from "./database.ts";
import { FolderLock } from "./folder-lock.ts";
import type { LogWriter } from "./log-writer.ts";
import { checkOffset, endsOf, findRoom, presentOf, readPage } from "./log-reader.ts";
import { decodeRoom, roomKey, roomOfKey, type RoomRecord } from "./records.ts";
import { Sweep } from "./sweep.ts";
import { verify } from "./verify.ts";

const SWEEP_MS = 60_000;
/** So much more text of a message is as much work as another message. */
const PAGE_BYTES = 4_096;

export interface DiskStoreOptions {
  /** Is made if it is not there; one process at a time may use it. */
  readonly folder: string;
  readonly durability?: Durability;
  /** For so long a keyed id is remembered at least, in ms. */
  readonly idempotencyMs?: number;
  /** The present in Unix milliseconds. */
  readonly now?: () => number;
  /** Gets what fails while nobody waits for it. */
  readonly onError?: (error: unknown) => void;
}

interface Settings extends Required<Omit<DiskStoreOptions, "folder" | "durability">> {
  readonly database: Database;
  readonly lock: FolderLock;
}

/** Keeps the logs of all rooms in a folder, for the brokers of one process that share it. */
export class DiskStore implements LocalStore {
  readonly #database: Database;
  readonly #lock: FolderLock;
  readonly #nodes = new LocalNodes();
  readonly #queue: CommitQueue;
  readonly #now: () => number;
  readonly #newSweep: () => Sweep;
  readonly #onError: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  private constructor({ database, lock, idempotencyMs, now, onError }: Settings) {
    this.#database = database;
    this.#lock = lock;
    this.#now = now;
    this.#onError = onError;
    const onStored = this.#nodes.send.bind(this.#nodes);
    this.#queue = new CommitQueue({ database, idempotencyMs, now, onStored, onError });
    this.#newSweep = () => new Sweep({ database, idempotencyMs, onError });
    this.#timer = setInterval(() => void this.sweep().catch(onError), SWEEP_MS).unref();
  }

  /** @throws DataFolderError if the folder is in use, of a newer version, damaged, or can't be reached */
  static async open(options: DiskStoreOptions): Promise<DiskStore> {
    const { durability = "synced", idempotencyMs = DEFAULT_LIMITS.idempotencyMs } = options;
    const { now = Date.now, onError = () => {} } = options;
    const { folder, lock } = await reach(options.folder);
    let database: Database | undefined;
    try {
      database = await openDatabase(folder, durability);
      verify(database);
      return new DiskStore({ database, lock, idempotencyMs, now, onError });
    } catch (error) {
      await database?.close();
      await lock.release();
      throw error;
    }
  }

  attach(node: LocalNode): void {
    this.#nodes.add(node);
  }

  detach(node: LocalNode): void {
    this.#nodes.delete(node);
  }

  append(room: RoomName, drafts: readonly Draft[], retention: Retention): Promise<readonly Appended[]> {
    const pages = drafts.reduce((sum, { head }) => sum + head.length / PAGE_BYTES, 0);
    const work = (log: LogWriter): readonly Appended[] => log.append(drafts, retention);
    return this.#queue.add(room, work, drafts.length + pages);
  }

  broadcast(room: RoomName, { id, head, except }: EphemeralDraft): void {
    const now = this.#now();
    const record = reading(() => findRoom(this.#database, room, now));
    const packet = head + ephemeralTail(id, record === undefined ? now : presentOf(record, now));
    this.#nodes.sendEphemeral(except === undefined ? { room, packet } : { room, packet, except });
  }

  read(room: RoomName, query: HistoryQuery): Promise<HistoryPage> {
    return this.#ask(room, (record) => readPage(this.#database, room, record, query, this.#now()));
  }

  head(room: RoomName): Position | undefined {
    return reading(() => {
      const record = findRoom(this.#database, room, this.#now());
      return record === undefined ? undefined : endsOf(record).head;
    });
  }

  check(room: RoomName, offset: number): Promise<CheckResult> {
    return this.#ask(room, (record) => checkOffset(this.#database, record, offset, this.#now()));
  }

  async clear(room: RoomName): Promise<void> {
    await this.#queue.add(room, (log) => log.clear());
  }

  async renewEpoch(room: RoomName, epoch: string): Promise<LogEnds> {
    await this.#queue.add(room, (log) => log.renewEpoch(epoch));
    const { head, firstOffset } = await this.check(room, 0);
    return { head, firstOffset };
  }

  rooms({ prefix, after, limit }: RoomsQuery): RoomsPage {
    const now = this.#now();
    const beginning = roomKey(prefix, true);
    const next = after === undefined ? beginning : Buffer.concat([roomKey(after, true), Buffer.alloc(1)]);
    const start = Buffer.compare(next, beginning) > 0 ? next : beginning;
    return reading(() => {
      const rooms: { room: RoomName; offset: number }[] = [];
      for (const { key, value } of this.#database.entries("rooms", { start })) {
        if (beginning.compare(key, 0, beginning.length) !== 0) break;
        const { top, forgetAt } = decodeRoom(key, value);
        if (now >= forgetAt) continue;
        if (rooms.length === limit) return { rooms, more: true };
        rooms.push({ room: roomOfKey(key), offset: top });
      }
      return { rooms, more: false };
    });
  }

  ping(): void {
    this.#queue.assertUsable();
  }

  size(): StoreSize {
    if (this.#closing !== undefined) throw new HubError("unavailable", "the store has been closed");
    return this.#database.size();
  }

  /** Deletes what is over in all rooms, in small steps between the appends; happens by itself every minute. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => (this.#sweeping = undefined));
    return this.#sweeping;
  }

  /** Finishes what is under way, and lets go of the folder. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #sweep(): Promise<void> {
    const sweep = this.#newSweep();
    while (!sweep.isDone && this.#closing === undefined)
      await this.#queue.addStep(() => sweep.step(this.#now()));
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping?.catch(this.#onError);
    await this.#queue.close();
    await this.#database.close();
    await this.#lock.release();
  }

  /** Asks about a room's record; one that has none yet gets it before, and with it an epoch. */
  async #ask<T>(room: RoomName, ask: (record: RoomRecord) => T): Promise<T> {
    // The record and what it tells of are read in one go, since the next commit may delete some of it.
    const attempt = (): { answer: T } | undefined =>
      reading(() => {
        const record = findRoom(this.#database, room, this.#now());
        return record === undefined ? undefined : { answer: ask(record) };
      });
    for (;;) {
      const found = attempt();
      if (found !== undefined) return found.answer;
      await this.#queue.add(room, () => {});
    }
  }
}

/** Nothing is made up in place of a record that is damaged. */
function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw toHubError(error);
  }
}

/** Makes the folder and locks it. */
async function reach(path: string): Promise<{ folder: string; lock: FolderLock }> {
  try {
    mkdirSync(path, { recursive: true });
    const folder = realpathSync(path);
    return { folder, lock: await FolderLock.take(folder) };
  } catch (cause) {
    if (cause instanceof DataFolderError) throw cause;
    const message = `the data folder ${path} can't be used: ${(cause as Error).message}`;
    throw new DataFolderError("unreachable", path, message, { cause });
  }
}
