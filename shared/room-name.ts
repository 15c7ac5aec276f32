import { HubError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { utf8Length } from "./utf8.ts";

declare const checked: unique symbol;

/** A room's name after its check: `kind:name`, in NFC. */
export type RoomName = string & { readonly [checked]: true };

const KIND = /^[a-z][a-z0-9-]{0,31}$/;
const NAME = /^[\p{L}\p{Nd}\p{M}._:/@~+=-]+$/u;

const SHAPE =
  "a room is kind:name, the kind being a-z, 0-9 and -, the name letters, digits and . _ - : / @ ~ + = (e.g. chat:lobby)";

/**
 * Checks a room's name and returns it in NFC.
 *
 * @param maxBytes longest name after the kind, in UTF-8 bytes
 * @throws HubError `bad_room`
 */
export function parseRoomName(input: unknown, maxBytes: number = DEFAULT_LIMITS.roomNameBytes): RoomName {
  if (typeof input !== "string") throw new HubError("bad_room", `the room is missing or no text: ${SHAPE}`);
  const colon = input.indexOf(":");
  if (colon < 0) throw new HubError("bad_room", `the room has no kind: ${SHAPE}`);
  // Before NFC, which can shrink a text but would take its time over a huge one.
  if (input.length > 32 + 1 + maxBytes * 3) throw tooLong(maxBytes);
  const kind = input.slice(0, colon);
  const name = input.slice(colon + 1).normalize("NFC");
  if (!KIND.test(kind)) throw new HubError("bad_room", `the room's kind is not allowed: ${SHAPE}`);
  if (utf8Length(name) > maxBytes) throw tooLong(maxBytes);
  if (!NAME.test(name))
    throw new HubError(
      "bad_room",
      `the room's name is empty or has a character that is not allowed: ${SHAPE}`,
    );
  return `${kind}:${name}` as RoomName;
}

/** Checks a room's name where a bare one is welcome: `build-42` means `stream:build-42`. */
export function parseRoomAlias(input: unknown, maxBytes?: number): RoomName {
  const bare = typeof input === "string" && !input.includes(":");
  return parseRoomName(bare ? `stream:${input}` : input, maxBytes);
}

/** The part before the first colon. */
export function roomKind(room: RoomName): string {
  return room.slice(0, room.indexOf(":"));
}

function tooLong(maxBytes: number): HubError {
  return new HubError("bad_room", `the room's name is longer than ${maxBytes} bytes`);
}
