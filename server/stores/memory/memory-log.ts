import { createHash } from "node:crypto";
import { HubError } from "../../../shared/errors.ts";
import { contentOf, packetAt, packetTail } from "../../../shared/packet.ts";
import type { Position } from "../../../shared/position.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import { EMPTY_IDENTITY_MS, IDENTITY_MS } from "../../../shared/room-options.ts";
import type {
  Appended,
  CheckResult,
  Draft,
  HistoryPage,
  HistoryQuery,
  LogEnds,
  Retention,
  StoredMessage,
} from "../../hub/broker.ts";
import { newEpoch } from "../new-epoch.ts";
import { lookBack, type LookedBackOn } from "../look-back.ts";
import { untold } from "../untold.ts";

interface Remembered {
  readonly offset: number;
  readonly time: number;
  readonly digest: string;
}

/** Holds one room's log in this process. Every method takes the present, in Unix milliseconds. */
export class MemoryLog {
  #epoch = newEpoch();
  readonly #room: RoomName;
  readonly #idempotencyMs: number;
  /** Offsets have no holes from `#first` to `#top`, so an offset is an index. */
  readonly #messages = new Map<number, StoredMessage>();
  #first = 1;
  #top = 0;
  #topId = "";
  #time = 0;
  /** Until when something may have been stored that is no longer kept. */
  #appendedAt = 0;
  #ageMs = 0;
  #forgetAt: number;
  /** Two generations: what is forgotten is at least one window old, and a room never remembers more than two. */
  #ids = new Map<string, Remembered>();
  #idsBefore = new Map<string, Remembered>();
  #rotatedAt: number;

  constructor(room: RoomName, idempotencyMs: number, now: number) {
    this.#room = room;
    this.#idempotencyMs = idempotencyMs;
    this.#rotatedAt = now;
    this.#forgetAt = now + EMPTY_IDENTITY_MS;
  }

  get head(): Position {
    return { epoch: this.#epoch, offset: this.#top, id: this.#topId };
  }

  get top(): number {
    return this.#top;
  }

  /** The store's clock never runs back behind the log's newest message. */
  present(now: number): number {
    return Math.max(now, this.#time);
  }

  /** Neither its messages nor its identity are to be kept any longer. */
  isForgotten(now: number): boolean {
    return now >= this.#forgetAt;
  }

  /** Gives each draft its place; `stored` holds what is new, in the order of the offsets. */
  append(
    drafts: readonly Draft[],
    retention: Retention,
    now: number,
  ): { results: Appended[]; stored: StoredMessage[] } {
    // By the age that held until now: what a reader has been told is gone must not come back with a longer one.
    this.trim(now);
    this.#time = this.present(now);
    this.#ageMs = retention.ageMs;
    this.#forgetAt = this.#time + retention.ageMs + IDENTITY_MS;
    this.#rotateIds(this.#time);
    const stored: StoredMessage[] = [];
    const results = drafts.map((draft) => this.#place(draft, stored));
    this.#appendedAt = this.#time;
    this.#trimTo(this.#top - retention.messages + 1);
    this.trim(now);
    return { results, stored };
  }

  read(query: HistoryQuery, now: number): HistoryPage {
    this.trim(now);
    const end = this.#top + 1;
    const [from, to] =
      "before" in query ? this.#spanBefore(query) : this.#spanFrom(this.#startOf(query, now), query.limit);
    const messages: StoredMessage[] = [];
    for (let offset = from; offset < Math.min(to, end); offset += 1)
      messages.push(this.#messages.get(offset)!);
    return { ...this.#ends(), messages };
  }

  check(offset: number, now: number): CheckResult {
    this.trim(now);
    return { ...this.#ends(), idAt: offset === this.#top ? this.#topId : this.#messages.get(offset)?.id };
  }

  /** Goes on under another epoch if this is the present one; what is kept shows it from now on. */
  renewEpoch(epoch: string, now: number): LogEnds {
    this.trim(now);
    if (epoch === this.#epoch) {
      this.#epoch = newEpoch();
      for (const [offset, message] of this.#messages) this.#messages.set(offset, this.#renewed(message));
    }
    return this.#ends();
  }

  clear(): void {
    this.#trimTo(this.#top + 1);
  }

  /** Lets go of what is over age, ids included. */
  trim(now: number): void {
    const present = this.present(now);
    let first = this.#first;
    while (first <= this.#top && this.#messages.get(first)!.time < present - this.#ageMs) first += 1;
    this.#trimTo(first);
    this.#rotateIds(present);
  }

  #ends(): LogEnds {
    return { head: this.head, firstOffset: this.#first };
  }

  #place(draft: Draft, stored: StoredMessage[]): Appended {
    const { id, keyed, head } = draft;
    const digest = keyed ? createHash("sha1").update(contentOf(head)).digest("base64") : "";
    const known = keyed ? (this.#ids.get(id) ?? this.#idsBefore.get(id)) : undefined;
    if (known !== undefined) {
      if (known.digest !== digest) return { ok: false, error: reused(id) };
      const position = { epoch: this.#epoch, offset: known.offset, id };
      return { ok: true, position, time: known.time, duplicate: true };
    }
    if (draft.sentAgoMs !== undefined) {
      const found = lookBack(this.#lookedBackOn(), id, draft.sentAgoMs);
      if (found === "unknown") return { ok: false, error: untold(id) };
      if (found !== undefined) return this.#sentBefore(draft, found.message, digest);
    }
    const [epoch, offset, time] = [this.#epoch, this.#top + 1, this.#time];
    const packet = packetAt(head, { id, epoch, offset, time });
    const message = { room: this.#room, epoch, offset, id, time, packet };
    this.#messages.set(offset, message);
    this.#top = offset;
    this.#topId = id;
    if (keyed) this.#ids.set(id, { offset, time, digest });
    stored.push(message);
    return { ok: true, position: { epoch, offset, id }, time, duplicate: false };
  }

  #lookedBackOn(): LookedBackOn<StoredMessage> {
    const [first, top, time, appendedAt] = [this.#first, this.#top, this.#time, this.#appendedAt];
    return { first, top, time, appendedAt, at: (offset) => this.#messages.get(offset)! };
  }

  #sentBefore({ keyed, id, head }: Draft, found: StoredMessage, digest: string): Appended {
    const { epoch, offset, time, packet } = found;
    if (contentOf(packet) !== contentOf(head)) return { ok: false, error: reused(id) };
    if (keyed) this.#ids.set(id, { offset, time, digest });
    return { ok: true, position: { epoch, offset, id }, time, duplicate: true };
  }

  #renewed(message: StoredMessage): StoredMessage {
    const head = message.packet.slice(0, -packetTail(message).length);
    const renewed = { ...message, epoch: this.#epoch };
    return { ...renewed, packet: packetAt(head, renewed) };
  }

  #trimTo(first: number): void {
    for (; this.#first < first; this.#first += 1) this.#messages.delete(this.#first);
  }

  #rotateIds(now: number): void {
    const elapsed = now - this.#rotatedAt;
    if (elapsed < this.#idempotencyMs) return;
    // Every append rotates first, so nothing in the current generation is older than one window after its start.
    this.#idsBefore = elapsed < 2 * this.#idempotencyMs ? this.#ids : new Map<string, Remembered>();
    this.#ids = new Map();
    this.#rotatedAt = now;
  }

  #startOf(query: { after: number } | { youngerThanMs: number }, now: number): number {
    return "after" in query ? query.after + 1 : this.#firstSince(this.present(now) - query.youngerThanMs);
  }

  #spanFrom(from: number, limit: number): [number, number] {
    const start = Math.max(from, this.#first);
    return [start, start + limit];
  }

  #spanBefore({ before, limit }: { before: number; limit: number }): [number, number] {
    const end = Math.min(before, this.#top + 1);
    return [Math.max(end - limit, this.#first), end];
  }

  /** Times never fall as offsets grow. */
  #firstSince(time: number): number {
    let low = this.#first;
    let high = this.#top + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#messages.get(middle)!.time < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function reused(id: string): HubError {
  return new HubError("id_reused", `the id ${id} belongs to another message`);
}
