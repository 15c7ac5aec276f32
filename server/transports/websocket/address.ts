import type { IncomingMessage } from "node:http";
import { HubError } from "../../../shared/errors.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { Start } from "../../hub/subscription.ts";
import type { Parsers } from "../schemas.ts";

/** Where an upgrade leads, unchecked. */
export interface Address {
  readonly kind: "stream" | "chat";
  /** As it stands in the path. */
  readonly name: string;
  readonly query: URLSearchParams;
}

const PATH = /^\/(?:ws\/(logs|chat)|chat)\/([^/]+)\/?$/;

/** Reads where an upgrade leads; undefined for a path that is not one of these. */
export function addressOf({ url }: IncomingMessage): Address | undefined {
  const [, path, query] = /^([^?]*)\??(.*)$/s.exec(url ?? "")!;
  const match = PATH.exec(path!);
  if (match === null) return undefined;
  const kind = match[1] === "logs" ? "stream" : "chat";
  return { kind, name: match[2]!, query: new URLSearchParams(query) };
}

/**
 * Reads which room is meant and where the reader starts.
 *
 * @throws HubError `bad_room`, `bad_request`
 */
export function joinOf(
  { kind, name, query }: Address,
  parsers: Parsers,
): Start & { readonly room: RoomName } {
  const [since, rewind] = [query.get("since"), query.get("rewind")];
  return parsers.join({
    room: `${kind}:${decode(name)}`,
    ...(since !== null ? { since } : rewind !== null ? { rewind } : {}),
  });
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new HubError("bad_room", "the path's percent-encoding is broken");
  }
}
