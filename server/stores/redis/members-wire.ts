import type { Member } from "../../../shared/presence.ts";
import type { MembersChange } from "../../hub/presence-store.ts";

/**
 * What stands before a change of a room's members on its channel. `@socket.io/redis-adapter` knows no such type, and a
 * stock server in the same Redis drops it.
 */
export const MEMBERS_WIRE_START = '{"uid":"roomcast","nsp":"/","type":"members","data":{';

export const MEMBERS_WIRE_END = "}}";

/** Reads what `presence.lua` announced; undefined if that is not what it is. */
export function readMembersWire(text: string): MembersChange | undefined {
  try {
    const { life, version, total, joined, left } = (JSON.parse(text) as { data: MembersChange }).data;
    const isChange =
      typeof life === "string" &&
      Number.isSafeInteger(version) &&
      Number.isSafeInteger(total) &&
      [joined, left].every((members) => Array.isArray(members) && members.every(isMember));
    return isChange ? { life, version, total, joined, left } : undefined;
  } catch {
    return undefined;
  }
}

function isMember(value: unknown): value is Member {
  const { user, name, joinedAt } = (value ?? {}) as Partial<Record<keyof Member, unknown>>;
  return typeof user === "string" && typeof name === "string" && Number.isSafeInteger(joinedAt);
}
