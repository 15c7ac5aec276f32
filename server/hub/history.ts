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
  // One past the largest offset is past the newest message.
  const end = offsetOf(before) ?? Number.MAX_SAFE_INTEGER;
  const page = await broker.read(room, { before: end, limit });
  return replyOf(page, (page.messages[0]?.offset ?? Math.min(end, page.firstOffset)) <= 1);
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

function offsetOf(place: Place | undefined): number | undefined {
  return typeof place === "object" ? place.offset : place;
}
