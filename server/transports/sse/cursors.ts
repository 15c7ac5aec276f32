import { HubError } from "../../../shared/errors.ts";
import { parsePosition, type Position } from "../../../shared/position.ts";
import type { RoomName } from "../../../shared/room-name.ts";

/** Where a stream stands in each of its rooms. */
export class Cursors {
  readonly #isOne: boolean;
  readonly #byRoom = new Map<RoomName, string>();

  constructor(rooms: number) {
    this.#isOne = rooms === 1;
  }

  get(room: RoomName): string | undefined {
    return this.#byRoom.get(room);
  }

  set(room: RoomName, cursor: string): void {
    this.#byRoom.set(room, cursor);
  }

  /** One cursor, or `room=cursor,room=cursor` with each part percent-encoded; undefined where no room has one yet. */
  get text(): string | undefined {
    if (this.#byRoom.size === 0) return undefined;
    if (this.#isOne) return this.#byRoom.values().next().value;
    const parts = [...this.#byRoom].map(
      ([room, cursor]) => `${encodeURIComponent(room)}=${encodeURIComponent(cursor)}`,
    );
    return parts.join(",");
  }
}

/**
 * Reads a stream's cursors, of one room or of several; rooms that are not asked for are left out.
 *
 * @param parseRoom checks a room's name
 * @throws HubError `bad_request`
 */
export function parseCursors(
  text: string,
  rooms: readonly RoomName[],
  parseRoom: (name: string) => RoomName,
): ReadonlyMap<RoomName, Position> {
  const positions = new Map<RoomName, Position>();
  if (!text.includes("=")) {
    if (rooms.length !== 1)
      throw new HubError("bad_request", "a position in several rooms is room=cursor,room=cursor");
    return positions.set(rooms[0]!, parsePosition(text));
  }
  for (const part of text.split(",")) {
    const [name, cursor, ...more] = part.split("=").map(decode);
    if (cursor === undefined || more.length > 0)
      throw new HubError("bad_request", "each part of a position is room=cursor, percent-encoded");
    const room = parseRoom(name!);
    if (rooms.includes(room)) positions.set(room, parsePosition(cursor));
  }
  return positions;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HubError("bad_request", "the position's percent-encoding is broken");
  }
}
