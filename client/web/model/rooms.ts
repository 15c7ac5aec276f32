import { HubError } from "../../../shared/errors.ts";
import { parseRoomName, roomKind } from "../../../shared/room-name.ts";

/** What a page can be asked for. */
export type Route =
  | { readonly page: "home" }
  | { readonly page: "chat"; readonly room: string; readonly name: string }
  | { readonly page: "stream"; readonly room: string; readonly name: string }
  | { readonly page: "unknown"; readonly reason: string };

/** Reads the path of an address. */
export function routeOf(path: string): Route {
  if (path === "/") return { page: "home" };
  const [, page, segment] = /^\/(chat|stream)\/([^/]+)\/?$/.exec(path) ?? [];
  if (page !== "chat" && page !== "stream") return { page: "unknown", reason: "There is no such page." };
  try {
    const room = parseRoomName(`${page}:${decodeURIComponent(segment!)}`);
    return { page, room, name: room.slice(page.length + 1) };
  } catch (error) {
    return { page: "unknown", reason: reasonOf(error) };
  }
}

/** The path of a room's page. */
export function pathOf(room: string): string {
  const at = room.indexOf(":");
  return `/${room.slice(0, at)}/${encodeURIComponent(room.slice(at + 1))}`;
}

/**
 * Makes a room's name of what somebody typed: spaces become `-`.
 *
 * @throws HubError `bad_room`
 */
export function typedRoom(kind: "chat" | "stream", typed: string): string {
  const name = typed.trim().replaceAll(/\s+/g, "-");
  if (name === "") throw new HubError("bad_room", "Please give a name");
  // The address of a log source has no room for a second colon.
  if (name.includes(":")) throw new HubError("bad_room", "A name has no colon");
  return parseRoomName(`${kind}:${name}`);
}

/** Tells a room's kind and name apart, for people. */
export function describeRoom(room: string): { readonly kind: string; readonly name: string } {
  const kind = roomKind(room as Parameters<typeof roomKind>[0]);
  return { kind, name: room.slice(kind.length + 1) };
}

function reasonOf(error: unknown): string {
  return error instanceof HubError ? error.message : "The address is not well-formed.";
}
