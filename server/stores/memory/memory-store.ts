import { ephemeralTail } from "../../../shared/packet.ts";
import { DEFAULT_LIMITS } from "../../../shared/limits.ts";
import type { Position } from "../../../shared/position.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type {
  Appended,
  CheckResult,
  Draft,
  EphemeralDraft,
  EphemeralMessage,
  HistoryPage,
  HistoryQuery,
  LogEnds,
  Retention,
  RoomsPage,
  RoomsQuery,
  StoredMessage,
} from "../../hub/broker.ts";
import { MemoryLog } from "./memory-log.ts";

const SWEEP_MS = 60_000;

export interface MemoryStoreOptions {
  /** For so long a keyed id is remembered at least, in ms. */
  readonly idempotencyMs?: number;
  /** The present in Unix milliseconds. */
  readonly now?: () => number;
}

/** One node as the store sees it. Neither method throws. */
export interface MemoryNode {
  receive(message: StoredMessage): void;
  receiveEphemeral(message: EphemeralMessage): void;
}

/** Holds the logs of all rooms in this process, for the brokers that share it. Nothing of it outlives the process. */
export class MemoryStore {
  readonly #logs = new Map<RoomName, MemoryLog>();
  readonly #nodes = new Set<MemoryNode>();
  readonly #idempotencyMs: number;
  readonly #now: () => number;
  readonly #undelivered: (() => void)[] = [];
  #delivering = false;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: MemoryStoreOptions = {}) {
    this.#idempotencyMs = options.idempotencyMs ?? DEFAULT_LIMITS.idempotencyMs;
    this.#now = options.now ?? Date.now;
  }

  attach(node: MemoryNode): void {
    this.#nodes.add(node);
    this.#sweep ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  detach(node: MemoryNode): void {
    this.#nodes.delete(node);
    if (this.#nodes.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  append(room: RoomName, drafts: readonly Draft[], retention: Retention): Appended[] {
    const { results, stored } = this.#log(room).append(drafts, retention, this.#now());
    for (const message of stored) this.#deliver((node) => node.receive(message));
    this.#flush();
    return results;
  }

  broadcast(room: RoomName, { id, head, except }: EphemeralDraft): void {
    const now = this.#now();
    const packet = head + ephemeralTail(id, this.#logs.get(room)?.present(now) ?? now);
    const message = except === undefined ? { room, packet } : { room, packet, except };
    this.#deliver((node) => node.receiveEphemeral(message));
    this.#flush();
  }

  read(room: RoomName, query: HistoryQuery): HistoryPage {
    return this.#log(room).read(query, this.#now());
  }

  /** The newest message of a log that is there and not over its time. */
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

  #deliver(send: (node: MemoryNode) => void): void {
    this.#undelivered.push(() => this.#nodes.forEach(send));
  }

  /** A handler that appends would otherwise overtake the message that it is being told of. */
  #flush(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    for (let next = this.#undelivered.shift(); next !== undefined; next = this.#undelivered.shift()) next();
    this.#delivering = false;
  }
}

/** The order of Redis: by UTF-8 bytes, which is not that of UTF-16. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
