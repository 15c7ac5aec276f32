import type { From, Message, Meta } from "./message.ts";
import type { RoomName } from "./room-name.ts";

/**
 * The text of a message as it goes to every member: the JSON array `[event, data, meta]`, in two pieces, since only
 * the log knows epoch, offset and time. Both pieces are joined once, where the message gets its place, and the result
 * is never parsed or encoded again on its way out.
 */
export function packetHead(room: RoomName, event: string, dataJson: string, from: From | undefined): string {
  const speaker = from === undefined ? "" : `"from":${JSON.stringify(from)},`;
  // The name of a room has nothing that JSON would escape.
  return `["${event}",${dataJson},{"room":"${room}",${speaker}`;
}

/** The part of a head that its sender wrote, event and data: what the same id must say again to be the same message. */
export function contentOf(head: string): string {
  // The last one: data may hold this text as well, but what follows data can't, since it stands in no string there.
  return head.slice(0, head.lastIndexOf(',{"room":"'));
}

/** `[` */
const OPENING = 0x5b;

/** What the log adds to a kept message's head. */
export function packetTail(place: { id: string; epoch: string; offset: number; time: number }): string {
  return `"id":"${place.id}","epoch":"${place.epoch}","offset":${place.offset},"time":${place.time}}]`;
}

/** Makes the whole packet of a kept message. */
export function packetAt(
  head: string,
  place: { id: string; epoch: string; offset: number; time: number },
): string {
  const packet = head + packetTail(place);
  // Until somebody looks into it, V8 keeps a concatenation as a tree of its pieces: twice the memory of each kept message,
  // and in arrays of 50 half of the hub's time, spent on collecting garbage.
  if (packet.charCodeAt(0) !== OPENING) throw new RangeError("a packet is an array");
  return packet;
}

/** What an ephemeral message's head gets: it has no place. */
export function ephemeralTail(id: string, time: number): string {
  return `"id":"${id}","ephemeral":true,"time":${time}}]`;
}

const TAIL =
  /"id":"([A-Za-z0-9_.:-]{1,64})","epoch":"([A-Za-z0-9]{1,32})","offset":(\d{1,16}),"time":(\d{1,16})\}\]$/;
/** No tail is longer: 64 for the id, 32 for the epoch, 16 for each number, and the names. */
const LONGEST_TAIL = 200;

/** Reads a kept message's place from its packet; undefined if it has none. Only the end is looked at, which no sender can write. */
export function placeOf(
  packet: string,
): { id: string; epoch: string; offset: number; time: number } | undefined {
  const match = TAIL.exec(packet.slice(-LONGEST_TAIL));
  if (match === null) return undefined;
  return { id: match[1]!, epoch: match[2]!, offset: Number(match[3]), time: Number(match[4]) };
}

/** The event's name, which opens the packet. */
export function eventOf(packet: string): string {
  return packet.slice(2, packet.indexOf('"', 2));
}

/** Parses a kept message's packet into the flat form of lists. */
export function messageOf(packet: string): Message {
  const [event, data, meta] = JSON.parse(packet) as [
    string,
    unknown,
    Meta & { epoch: string; offset: number },
  ];
  return { ...meta, event, data };
}
