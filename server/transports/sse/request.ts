import type { IncomingMessage } from "node:http";
import { HubError } from "../../../shared/errors.ts";
import type { Limits } from "../../../shared/limits.ts";
import { parseEvent } from "../../../shared/message.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { Start } from "../../hub/subscription.ts";
import type { Parsers } from "../schemas.ts";
import { parseCursors } from "./cursors.ts";

/** One room of a stream. */
export interface StreamRoom {
  readonly room: RoomName;
  /** The room's name as it came, which is how the stream speaks of it. */
  readonly channel: string;
  readonly start: Start;
}

/** What a reader wants, checked. */
export interface StreamRequest {
  readonly rooms: readonly StreamRoom[];
  /** Only events of these names, if there are any. */
  readonly events: ReadonlySet<string> | undefined;
  /** Each event's data is the whole message. */
  readonly envelope: boolean;
}

export interface RequestRules {
  readonly parsers: Parsers;
  readonly limits: Limits;
}

/** The id of the event that says that a stream was refused. */
export const REFUSED_ID = "error";
/** Where clients that can't set a header put the last id that they have, as they call it. */
const LAST_IDS = new Set(["lastEventId", "lastEventID", "last_event_id", "evs_last_event_id"]);

/**
 * Refuses who comes back after a refusal, with a status that makes it stay away.
 *
 * @throws HubError `bad_request`
 */
export function refuseReturn(request: IncomingMessage): void {
  if (lastIdOf(request) !== REFUSED_ID) return;
  throw new HubError("bad_request", "Invalid request: Can't resume session after stream-error.");
}

/**
 * Reads what a stream shall have. Parameters that it does not know are left alone: polyfills and proxies add theirs.
 *
 * @param named the room in the path, which leaves no choice to the query
 * @throws HubError `bad_request`, `bad_room`, `bad_event`
 */
export function readStreamRequest(
  request: IncomingMessage,
  named: string | undefined,
  rules: RequestRules,
): StreamRequest {
  const query = queryOf(request);
  const channels = readChannels(query, named, rules);
  const rooms = [...channels.keys()];
  const since = lastIdOf(request) ?? query.get("since") ?? "";
  const parseRoom = (name: string): RoomName => rules.parsers.alias(name);
  const positions = since === "" ? undefined : parseCursors(since, rooms, parseRoom);
  const rewind = query.get("rewind");
  const names = query.getAll("event").map((name) => parseEvent(name));
  return {
    rooms: rooms.map((room) => {
      const position = positions?.get(room);
      const start = position !== undefined ? { since: position } : rewind !== null ? { rewind } : {};
      const { room: _room, ...checked } = rules.parsers.join({ room, ...start });
      return { room, channel: channels.get(room)!, start: checked };
    }),
    events: names.length === 0 ? undefined : new Set(names),
    envelope: ["1", "true"].includes(query.get("envelope") ?? ""),
  };
}

/**
 * Reads which rooms are meant, each with its name as it came.
 *
 * @throws HubError `bad_request` for none or too many, `bad_room`
 */
export function readChannels(
  query: URLSearchParams,
  named: string | undefined,
  { parsers, limits }: RequestRules,
): ReadonlyMap<RoomName, string> {
  const names = named === undefined ? [...query.getAll("room"), ...query.getAll("channel")] : [named];
  const channels = new Map(names.map((name) => [parsers.alias(name), name]));
  if (channels.size === 0) throw new HubError("bad_request", "No channels specified.");
  if (channels.size > limits.roomsPerStream) throw new HubError("bad_request", "Channel limit exceeded.");
  return channels;
}

/** The parameters of a request's query. */
export function queryOf({ url }: IncomingMessage): URLSearchParams {
  return new URLSearchParams(/\?(.*)$/s.exec(url ?? "")?.[1]);
}

/** The header wins: a browser goes on sending the URL with which it began. */
function lastIdOf(request: IncomingMessage): string | undefined {
  const header = request.headers["last-event-id"];
  if (typeof header === "string" && header !== "") return header;
  const given = [...queryOf(request)].filter(([name, value]) => LAST_IDS.has(name) && value !== "");
  return given.at(-1)?.[1];
}
