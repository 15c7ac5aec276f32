import type { RoomName } from "./room-name.ts";

/** How much of a room's log is kept. */
export interface RoomOptions {
  /** The newest so many messages; 0 keeps positions and no message. */
  readonly messages: number;
  /** Messages older than this are gone, in ms. */
  readonly ageMs: number;
  /** Whoever joins is a member that others can see. Elsewhere only those are who ask for presence when they join. */
  readonly presence?: boolean;
  /** A member can't have the name of another member. */
  readonly uniqueNames?: boolean;
}

/** Options by pattern: a room's name, a kind's `chat:*`, or any beginning such as `stream:build-*`. */
export type RoomOptionsTable = Readonly<Record<string, RoomOptions>>;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export const DEFAULT_ROOM_OPTIONS: RoomOptionsTable = {
  "stream:*": { messages: 10_000, ageMs: 24 * HOUR },
  "chat:*": { messages: 1_000, ageMs: 30 * DAY, presence: true, uniqueNames: true },
  "user:*": { messages: 100, ageMs: 7 * DAY },
};

/** The identity of a room (epoch and offset) outlives its messages by so long, in ms. */
export const IDENTITY_MS: number = 30 * DAY;

/** That of a room which has been looked at or joined, but never had a message, in ms. */
export const EMPTY_IDENTITY_MS: number = DAY;

const PATTERN = /^[a-z][a-z0-9-]{0,31}:[^*]{0,200}\*?$/;

/** Tells whether text may stand as a pattern in a table of room options. */
export function isRoomPattern(pattern: string): boolean {
  return PATTERN.test(pattern) && !pattern.endsWith(":");
}

/** Finds a room's options: the longest pattern that fits; a kind without any has those of `stream:*`. */
export function optionsOf(room: RoomName, table: RoomOptionsTable): RoomOptions {
  let best: string | undefined;
  for (const pattern of Object.keys(table)) {
    if (fits(room, pattern) && (best === undefined || pattern.length > best.length)) best = pattern;
  }
  const streams = table["stream:*"] ?? DEFAULT_ROOM_OPTIONS["stream:*"]!;
  return best === undefined ? streams : table[best]!;
}

function fits(room: string, pattern: string): boolean {
  return pattern.endsWith("*") ? room.startsWith(pattern.slice(0, -1)) : room === pattern;
}
