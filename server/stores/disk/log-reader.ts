import { packetTail } from "../../../shared/packet.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { CheckResult, HistoryPage, HistoryQuery, LogEnds, StoredMessage } from "../../hub/broker.ts";
import type { Database } from "./database.ts";
import {
  DamagedRecord,
  decodeMessage,
  decodeRoom,
  messageKey,
  roomKey,
  type MessageRecord,
  type RoomRecord,
} from "./records.ts";

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

/** @throws DamagedRecord if it is not there, or not as it was written */
export function messageAt(database: Database, log: number, offset: number): MessageRecord {
  const key = messageKey(log, offset);
  const value = database.get("messages", key);
  if (value === undefined) throw new DamagedRecord(`message ${offset} of log ${log} is missing`);
  return decodeMessage(key, value);
}

/** The first offset of those that are kept whose message is of this time or later. Times never fall as offsets grow. */
export function firstSince(database: Database, record: RoomRecord, time: number): number {
  let low = record.first;
  let high = record.top + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (messageAt(database, record.log, middle).time < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first message that is not over age. */
export function firstKept(database: Database, record: RoomRecord, now: number): number {
  const { log, first, top } = record;
  const bound = presentOf(record, now) - record.ageMs;
  // Mostly nothing is over age, and the oldest one tells.
  if (first > top || messageAt(database, log, first).time >= bound) return first;
  return firstSince(database, record, bound);
}

export function readPage(
  database: Database,
  room: RoomName,
  record: RoomRecord,
  query: HistoryQuery,
  now: number,
): HistoryPage {
  const kept = { ...record, first: firstKept(database, record, now) };
  const [from, to] = spanOf(database, kept, query, now);
  const messages: StoredMessage[] = [];
  for (let offset = from; offset < to; offset += 1) {
    const { time, id, head } = messageAt(database, record.log, offset);
    const place = { epoch: record.epoch, offset, id, time };
    messages.push({ room, ...place, packet: head.toString() + packetTail(place) });
  }
  return { ...endsOf(kept), messages };
}

export function checkOffset(
  database: Database,
  record: RoomRecord,
  offset: number,
  now: number,
): CheckResult {
  const first = firstKept(database, record, now);
  const ends = endsOf({ ...record, first });
  if (offset === record.top) return { ...ends, idAt: record.topId };
  const isKept = offset >= first && offset < record.top;
  return { ...ends, idAt: isKept ? messageAt(database, record.log, offset).id : undefined };
}

export function endsOf({ epoch, top, topId, first }: RoomRecord): LogEnds {
  return { head: { epoch, offset: top, id: topId }, firstOffset: first };
}

/** From an offset up to, not including, another one. */
function spanOf(
  database: Database,
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
      : firstSince(database, record, presentOf(record, now) - query.youngerThanMs);
  return [start, Math.min(start + limit, top + 1)];
}
