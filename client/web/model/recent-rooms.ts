import { parseRoomName } from "../../../shared/room-name.ts";
import type { Storage } from "./storage.ts";

const KEY = "roomcast.recent";
const MOST = 8;

/** Rooms that this browser has visited, the latest first. */
export function recentRooms(storage: Storage): readonly string[] {
  try {
    const known: unknown = JSON.parse(storage.get(KEY) ?? "[]");
    return Array.isArray(known) ? known.filter((room) => isRoom(room)).slice(0, MOST) : [];
  } catch {
    return [];
  }
}

/** Notes a visit. */
export function visit(storage: Storage, room: string): void {
  const others = recentRooms(storage).filter((known) => known !== room);
  storage.set(KEY, JSON.stringify([room, ...others].slice(0, MOST)));
}

export function forgetRooms(storage: Storage): void {
  storage.set(KEY, "[]");
}

function isRoom(room: unknown): room is string {
  try {
    return parseRoomName(room) === room;
  } catch {
    return false;
  }
}
