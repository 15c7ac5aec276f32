import { messageOf } from "../../shared/packet.ts";
import { formatCursor, type Position } from "../../shared/position.ts";
import type { HistoryReply } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Broker, HistoryPage } from "./broker.ts";
import { recover } from "./recovery.ts";

/** A place in a log: an offset, or a position that must prove itself. */
export type Place = number | Position;

/** Which page: after a place, or before one; without either, the newest. */
export interface HistoryRange {
  readonly after?: Place;
  readonly before?: Place;
  readonly limit: number;
}

/** Reads one page of a room's log, oldest message first. */
export async function readHistory(
  broker: Broker,
  room: RoomName,
  range: HistoryRange,
): Promise<HistoryReply> {
  const { after, before, limit } = range;
  if (typeof after === "object") return readAfterPosition(broker, room, after, limit);
  if (after !== undefined) {
    const page = await broker.read(room, { after, limit });
    return replyOf(page, reachesHead(page, after));
  }
  if (typeof before === "object") return readBeforePosition(broker, room, before, limit);
  return readBefore(broker, room, before ?? PAST_THE_END, limit);
}

/** No message has it, so all are before it. */
const PAST_THE_END = Number.MAX_SAFE_INTEGER;

async function readBefore(
  broker: Broker,
  room: RoomName,
  before: number,
  limit: number,
): Promise<HistoryReply> {
  const page = await broker.read(room, { before, limit });
  return replyOf(page, (page.messages[0]?.offset ?? Math.min(before, page.firstOffset)) <= 1);
}

/** A position of another log says nothing about this one: its reader is told, and starts at the newest page. */
async function readBeforePosition(
  broker: Broker,
  room: RoomName,
  position: Position,
  limit: number,
): Promise<HistoryReply> {
  const [log] = await broker.check([{ room, offset: position.offset }]);
  const verdict = recover(position, log!);
  // What stood at a position that is trimmed is gone, but its offset is still the right one.
  if (verdict.recovered || verdict.reason === "trimmed")
    return readBefore(broker, room, position.offset, limit);
  return {
    ...(await readBefore(broker, room, PAST_THE_END, limit)),
    recovered: false,
    reason: verdict.reason,
  };
}

async function readAfterPosition(
  broker: Broker,
  room: RoomName,
  since: Position,
  limit: number,
): Promise<HistoryReply> {
  const [log] = await broker.check([{ room, offset: since.offset }]);
  const verdict = recover(since, log!);
  const page = await broker.read(room, { after: verdict.start, limit });
  const told = verdict.recovered ? { recovered: true } : { recovered: false, reason: verdict.reason };
  return { ...replyOf(page, reachesHead(page, verdict.start)), ...told };
}

function reachesHead(page: HistoryPage, after: number): boolean {
  return (page.messages.at(-1)?.offset ?? after) >= page.head.offset;
}

function replyOf(page: HistoryPage, complete: boolean): HistoryReply {
  return {
    messages: page.messages.map(({ packet }) => messageOf(packet)),
    position: page.head,
    cursor: formatCursor(page.head),
    firstOffset: page.firstOffset,
    complete,
  };
}
