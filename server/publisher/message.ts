import { HubError } from "../../shared/errors.ts";
import type { Limits } from "../../shared/limits.ts";
import { encodeData, parseEvent, parseMessageId } from "../../shared/message.ts";
import { randomId } from "../../shared/message-id.ts";
import { parseRoomName, type RoomName } from "../../shared/room-name.ts";

/** A message for a room, as a caller gives it. */
export interface OutgoingMessage {
  readonly room: string;
  readonly event: string;
  readonly data: unknown;
  /** Sent again within 10 minutes, the same id is the same message; one is made if there is none. */
  readonly id?: string;
  /** Delivered live and never kept. */
  readonly ephemeral?: boolean;
}

/** A message that the hub has no more reason to refuse for its form. */
export interface CheckedMessage {
  readonly room: RoomName;
  /** Fixed before the first try, so that every further one is the same message. */
  readonly id: string;
  /** The caller gave the id, and may send it again by another call. */
  readonly keyed: boolean;
  readonly event: string;
  /** The data as JSON text. */
  readonly data: string;
  readonly ephemeral: boolean;
}

/**
 * Makes all checks that need no hub.
 *
 * @throws HubError `bad_room`, `bad_event`, `bad_request`, `too_large`
 */
export function checkMessage(input: unknown, limits: Limits): CheckedMessage {
  if (typeof input !== "object" || input === null) {
    throw new HubError("bad_request", "a message is { room, event, data, id?, ephemeral? }");
  }
  const { room, event, data, id, ephemeral } = input as Partial<Record<keyof OutgoingMessage, unknown>>;
  if (ephemeral !== undefined && typeof ephemeral !== "boolean") {
    throw new HubError("bad_request", "ephemeral is true or false");
  }
  return {
    room: parseRoomName(room, limits.roomNameBytes),
    event: parseEvent(event),
    data: encodeData(data, limits),
    id: id === undefined ? randomId() : parseMessageId(id),
    keyed: id !== undefined,
    ephemeral: ephemeral === true,
  };
}

/** What the names of the fields take in the widest form in which a message travels. */
const FRAME_BYTES = 64;

/** Bytes of a message on its way, at most. */
export function sizeOf({ data, event, id }: CheckedMessage): number {
  return Buffer.byteLength(data) + event.length + id.length + FRAME_BYTES;
}
