import { packetAt } from "../../../shared/packet.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { CheckResult, HistoryPage, HistoryQuery, LogEnds, StoredMessage } from "../../hub/broker.ts";
import type { Database } from "./database.ts";
import { decodeBlock, type MessageBlock, type MessageRecord } from "./message-blocks.ts";
import { DamagedRecord, decodeRoom, logOfKey, messageKey, roomKey, type RoomRecord } from "./records.ts";

/** Finds a room's record, unless its time is over. */
export function findRoom(database: Database, room: RoomName, now: number): RoomRecord | undefined {
  for (const hasMessages of [true, false]) {
    const key = roomKey(room, hasMessages);
    const value = database.get("rooms", key);
    if (value === undefined) continue;
    const record = decodeRoom(key, value);
    return now >= record.forgetAt ? undefined : record;
  }
  return undefined;
}

/** The store's clock never runs back behind the log's newest message. */
export function presentOf({ time }: Pick<RoomRecord, "time">, now: number): number {
  return Math.max(now, time);
}

/** Finds messages of one log, as long as nothing is committed: the block at hand often has the next one as well. */
export class Messages {
  readonly #database: Database;
  readonly #log: number;
  #block: MessageBlock | undefined;

  constructor(database: Database, log: number) {
    this.#database = database;
    this.#log = log;
  }

  /** @throws DamagedRecord if it is not there, or not as it was written */
  at(offset: number): MessageRecord {
    const known = this.#block;
    if (known !== undefined && known.first <= offset && offset <= known.last) return known.at(offset);
    const block = this.#find(offset);
    if (block === undefined || block.first > offset)
      throw new DamagedRecord(`message ${offset} of log ${this.#log} is missing`);
    this.#block = block;
    return block.at(offset);
  }

  #find(offset: number): MessageBlock | undefined {
    const start = messageKey(this.#log, offset);
    // The last message of a block, and each that is alone: much cheaper than a range.
    const value = this.#database.get("messages", start);
    if (value !== undefined) return decodeBlock(start, value);
    for (const next of this.#database.entries("messages", { start, limit: 1 }))
      if (logOfKey(next.key) === this.#log) return decodeBlock(next.key, next.value);
    return undefined;
  }
}

/** The first offset of those that are kept whose message is of this time or later. Times never fall as offsets grow. */
function firstSince(messages: Messages, { first, top }: RoomRecord, time: number): number {
  let low = first;
  let high = top + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (messages.at(middle).time < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first message that is not over age. */
export function firstKept(messages: Messages, record: RoomRecord, now: number): number {
  const { first, top, oldestTime } = record;
  const bound = presentOf(record, now) - record.ageMs;
  // Mostly nothing is over age, and the oldest one tells.
  if (first > top || oldestTime >= bound || messages.at(first).time >= bound) return first;
  return firstSince(messages, record, bound);
}

export function readPage(
  database: Database,
  room: RoomName,
  record: RoomRecord,
  query: HistoryQuery,
  now: number,
): HistoryPage {
  const messages = new Messages(database, record.log);
  const kept = { ...record, first: firstKept(messages, record, now) };
  const [from, to] = spanOf(messages, kept, query, now);
  const page: StoredMessage[] = [];
  for (let offset = from; offset < to; offset += 1) {
    const { time, id, head } = messages.at(offset);
    const place = { epoch: record.epoch, offset, id, time };
    page.push({ room, ...place, packet: packetAt(head, place) });
  }
  return { ...endsOf(kept), messages: page };
}

export function checkOffset(
  database: Database,
  record: RoomRecord,
  offset: number,
  now: number,
): CheckResult {
  const messages = new Messages(database, record.log);
  const first = firstKept(messages, record, now);
  const ends = endsOf({ ...record, first });
  if (offset === record.top) return { ...ends, idAt: record.topId };
  const isKept = offset >= first && offset < record.top;
  return { ...ends, idAt: isKept ? messages.at(offset).id : undefined };
}

export function endsOf({ epoch, top, topId, first }: RoomRecord): LogEnds {
  return { head: { epoch, offset: top, id: topId }, firstOffset: first };
}

/** From an offset up to, not including, another one. */
function spanOf(
  messages: Messages,
  record: RoomRecord,
  query: HistoryQuery,
  now: number,
): [from: number, to: number] {
  const { first, top } = record;
  const { limit } = query;
  if ("before" in query) {
    const end = Math.min(query.before, top + 1);
    return [Math.max(end - limit, first), end];
  }
  const start =
    "after" in query
      ? Math.max(query.after + 1, first)
      : firstSince(messages, record, presentOf(record, now) - query.youngerThanMs);
  return [start, Math.min(start + limit, top + 1)];
}
