import type { Appended, Draft } from "../../server/hub/broker.ts";
import { Database, type Durability, type TableName } from "../../server/stores/disk/database.ts";
import type { DiskStore } from "../../server/stores/disk/disk-store.ts";
import { packetHead } from "../../shared/packet.ts";
import { parseRoomName } from "../../shared/room-name.ts";
import { DataFolders } from "./data-folders.ts";

/** One data folder, at a clock that the test sets. */
export class DiskBench {
  now = 1_000_000;
  readonly #folders = new DataFolders();
  folder: string = this.#folders.make();

  /** Opens the store, with an idempotency window of a second. */
  open(options: { readonly durability?: Durability } = {}): Promise<DiskStore> {
    const { folder } = this;
    return this.#folders.open({ folder, idempotencyMs: 1_000, now: () => this.now, ...options });
  }

  /** How many records the tables hold, once nobody has the folder open. */
  async counts(): Promise<Partial<Record<TableName, number>>> {
    const database = new Database(this.folder, "synced");
    const found: Partial<Record<TableName, number>> = {};
    for (const table of ["rooms", "messages", "ids", "dead"] as const)
      found[table] = [...database.keys(table, { start: Buffer.alloc(1) })].length;
    await database.close();
    return found;
  }

  /** Changes one record while nobody has the folder open, as a fault of the disk might; undefined takes it away. */
  async spoil(table: TableName, change: (key: Buffer, value: Buffer) => Buffer | undefined): Promise<void> {
    const database = new Database(this.folder, "synced");
    const entries = [...database.entries(table, { start: Buffer.alloc(1) })];
    const { key, value: old } = entries[Math.floor(entries.length / 2)]!;
    const value = change(key, Buffer.from(old));
    await database.commit([value === undefined ? { table, key } : { table, key, value }]);
    await database.close();
  }

  remove(): Promise<void> {
    return this.#folders.remove();
  }
}

const ROOM = parseRoomName("chat:lobby");

export function draft(id: string, keyed = false): Draft {
  return { id, keyed, head: packetHead(ROOM, "log", JSON.stringify(id), undefined) };
}

/** m1, m2, m3 … */
export function drafts(count: number, keyed = false): Draft[] {
  return Array.from({ length: count }, (_, i) => draft(`m${i + 1}`, keyed));
}

/** Takes it that all were accepted. */
export function placed(appended: readonly Appended[]): Extract<Appended, { ok: true }>[] {
  return appended.map((one) => {
    if (!one.ok) throw one.error;
    return one;
  });
}
