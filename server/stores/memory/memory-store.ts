import { ephemeralTail } from "../../../shared/packet.ts";
import { DEFAULT_LIMITS } from "../../../shared/limits.ts";
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
import { MemoryLog } from "./memory-log.ts";

const SWEEP_MS = 60_000;

export interface MemoryStoreOptions {
  /** For so long a keyed id is remembered at least, in ms. */
  readonly idempotencyMs?: number;
  /** The present in Unix milliseconds. */
  readonly now?: () => number;
}

/** Holds the logs of all rooms in this process, for the brokers that share it. Nothing of it outlives the process. */
export class MemoryStore implements LocalStore {
  readonly #logs = new Map<RoomName, MemoryLog>();
  readonly #nodes = new LocalNodes();
  readonly #idempotencyMs: number;
  readonly #now: () => number;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: MemoryStoreOptions = {}) {
    this.#idempotencyMs = options.idempotencyMs ?? DEFAULT_LIMITS.idempotencyMs;
    this.#now = options.now ?? Date.now;
  }

  attach(node: LocalNode): void {
    this.#nodes.add(node);
    this.#sweep ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  detach(node: LocalNode): void {
    this.#nodes.delete(node);
    if (this.#nodes.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  append(room: RoomName, drafts: readonly Draft[], retention: Retention): Appended[] {
    const { results, stored } = this.#log(room).append(drafts, retention, this.#now());
    this.#nodes.send(stored);
    return results;
  }

  broadcast(room: RoomName, { id, head, except }: EphemeralDraft): void {
    const now = this.#now();
    const packet = head + ephemeralTail(id, this.#logs.get(room)?.present(now) ?? now);
    this.#nodes.sendEphemeral(except === undefined ? { room, packet } : { room, packet, except });
  }

  read(room: RoomName, query: HistoryQuery): HistoryPage {
    return this.#log(room).read(query, this.#now());
  }

  head(room: RoomName): Position | undefined {
    const log = this.#logs.get(room);
    return log === undefined || log.isForgotten(this.#now()) ? undefined : log.head;
  }

  check(room: RoomName, offset: number): CheckResult {
    return this.#log(room).check(offset, this.#now());
  }

  renewEpoch(room: RoomName, epoch: string): LogEnds {
    return this.#log(room).renewEpoch(epoch, this.#now());
  }

  clear(room: RoomName): void {
    this.#logs.get(room)?.clear();
  }

  rooms({ prefix, after, limit }: RoomsQuery): RoomsPage {
    this.sweep();
    const found = [...this.#logs.keys()]
      .filter((room) => this.#logs.get(room)!.top > 0)
      .filter((room) => room.startsWith(prefix) && (after === undefined || byBytes(room, after) > 0))
      .toSorted(byBytes);
    const rooms = found.slice(0, limit).map((room) => ({ room, offset: this.#logs.get(room)!.top }));
    return { rooms, more: found.length > limit };
  }

  ping(): void {}

  /** Forgets what is over age in every room; rooms in use do it by themselves. */
  sweep(): void {
    const now = this.#now();
    for (const [room, log] of this.#logs) {
      if (log.isForgotten(now)) this.#logs.delete(room);
      else log.trim(now);
    }
  }

  #log(room: RoomName): MemoryLog {
    const now = this.#now();
    const known = this.#logs.get(room);
    if (known !== undefined && !known.isForgotten(now)) return known;
    const log = new MemoryLog(room, this.#idempotencyMs, now);
    this.#logs.set(room, log);
    return log;
  }
}

/** The order of Redis: by UTF-8 bytes, which is not that of UTF-16. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
