import { placeOf } from "../../../shared/packet.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { EphemeralMessage, StoredMessage } from "../../hub/broker.ts";
import type { MembersChange } from "../../hub/presence-store.ts";
import { socketRoom } from "./keys.ts";
import { MEMBERS_WIRE_START, readMembersWire } from "./members-wire.ts";

/** What a channel's message turned out to be. */
export type Received =
  | { readonly kind: "message"; readonly message: StoredMessage }
  | { readonly kind: "ephemeral"; readonly message: EphemeralMessage }
  | { readonly kind: "members"; readonly change: MembersChange }
  | { readonly kind: "broken" };

const OPENING = '{"uid":"roomcast","nsp":"/","type":3,"data":{"opts":{"rooms":[';
const OPENINGS = [OPENING, MEMBERS_WIRE_START].map((text) => Buffer.from(text));
const PACKET = '],"flags":{}},"packet":{"type":2,"nsp":"/","data":';

/** What stands behind a packet on its channel. */
export const WIRE_END = "}}}";

/**
 * What stands before a packet on its channel. The whole is a broadcast in the format of `@socket.io/redis-adapter`, so
 * a stock server in the same Redis gives it to its own members of the Socket.IO room.
 */
export function wireStart(room: RoomName, except?: string): string {
  const left = except === undefined ? "" : JSON.stringify(except);
  return `${OPENING}${JSON.stringify(socketRoom(room))}],"except":[${left}${PACKET}`;
}

/** Tells whether a hub sent this; what it did not send belongs to the adapter. */
export function isHubWire(raw: Buffer): boolean {
  return OPENINGS.some((opening) => beginsWith(raw, opening));
}

/** In place, since a view of the beginning would cost more than to look at it. */
function beginsWith(raw: Buffer, opening: Buffer): boolean {
  if (raw.length < opening.length) return false;
  for (let i = 0; i < opening.length; i += 1) if (raw[i] !== opening[i]) return false;
  return true;
}

/** Makes the reader of what hubs send to one room. A kept message is cut out and never parsed. */
export function wireReader(room: RoomName): (raw: Buffer) => Received {
  const start = wireStart(room);
  return (raw) => {
    const text = raw.toString();
    if (text.startsWith(MEMBERS_WIRE_START)) {
      const change = readMembersWire(text);
      return change === undefined ? { kind: "broken" } : { kind: "members", change };
    }
    if (!text.endsWith(WIRE_END)) return { kind: "broken" };
    if (text.startsWith(start)) {
      const packet = text.slice(start.length, -WIRE_END.length);
      const place = placeOf(packet);
      if (place !== undefined) return { kind: "message", message: { room, ...place, packet } };
    }
    return readEphemeral(room, text);
  };
}

function readEphemeral(room: RoomName, text: string): Received {
  try {
    const { data } = JSON.parse(text) as { data: { opts: { rooms: unknown[]; except: unknown[] } } };
    const [except] = data.opts.except;
    const isOurs =
      data.opts.rooms[0] === socketRoom(room) && /"ephemeral":true,"time":\d+\}\]\}\}\}$/.test(text);
    if (!isOurs || (except !== undefined && typeof except !== "string")) return { kind: "broken" };
    const packet = text.slice(text.indexOf(PACKET) + PACKET.length, -WIRE_END.length);
    return { kind: "ephemeral", message: except === undefined ? { room, packet } : { room, packet, except } };
  } catch {
    return { kind: "broken" };
  }
}
