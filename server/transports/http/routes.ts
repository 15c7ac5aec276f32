import type { ErrorCode } from "../../../shared/errors.ts";

/** One route as others see it. */
export interface Route {
  readonly method: "get" | "post" | "delete";
  /** As Express writes it, with `:name` for one percent-encoded segment. */
  readonly path: string;
  readonly summary: string;
  /** Query parameters, with their meaning. */
  readonly query?: Readonly<Record<string, string>>;
  /** Takes the header Idempotency-Key. */
  readonly keyed?: boolean;
  /** Media types of the body, with the names of their schemas. */
  readonly body?: Readonly<Record<string, string>>;
  readonly reply: {
    readonly status: number;
    readonly text: string;
    readonly body?: Readonly<Record<string, string>>;
  };
  /** Beside those that every route has. */
  readonly errors: readonly ErrorCode[];
}

/** Errors of every route: who may call is looked at first, and bugs are everywhere. */
export const COMMON_ERRORS: readonly ErrorCode[] = ["unauthorized", "bad_origin", "internal"];

const JSON_TYPE = "application/json";
const FORM = "application/x-www-form-urlencoded";
const NDJSON = "application/x-ndjson";
const HTML = "text/html";
const EVENT_STREAM = "text/event-stream";
const STREAM_QUERY = {
  lastEventId: "the id of the last event that the reader has, if it can't send the header Last-Event-ID",
  since: "the same, unless there is a last event's id: only what comes after it",
  rewind: 'begin with the last so many messages, or with those of the last so long, as in "5m"',
  event: "only events of this name; several of them as several parameters",
  envelope: "1: the data of each event is the whole message",
};
const PUBLISHING: readonly ErrorCode[] = [
  "bad_request",
  "bad_room",
  "forbidden",
  "too_large",
  "unavailable",
  "store_full",
];

/** Every route of the hub, once: the description of the API and the handler's own idea of its paths are this table. */
export const ROUTES: readonly Route[] = [
  {
    method: "post",
    path: "/rooms/:room/messages",
    summary:
      "Publishes a message, an array of them, or a stream of lines, each answered by a line while it goes on.",
    keyed: true,
    body: { [JSON_TYPE]: "MessageOrArray", [NDJSON]: "Message" },
    reply: {
      status: 201,
      text: "What became of it",
      body: { [JSON_TYPE]: "OutcomeOrResults", [NDJSON]: "Outcome" },
    },
    errors: [...PUBLISHING, "bad_event", "id_reused"],
  },
  {
    method: "get",
    path: "/rooms/:room/messages",
    summary: "Reads a page of a room's messages, oldest first; the newest ones unless told where to start.",
    query: {
      after: "offset or cursor: the messages after it",
      before: "offset or cursor: the newest messages before it",
      limit: "most messages of the page",
    },
    reply: { status: 200, text: "A page", body: { [JSON_TYPE]: "History" } },
    errors: ["bad_request", "bad_room", "forbidden", "unavailable"],
  },
  {
    method: "delete",
    path: "/rooms/:room/messages",
    summary: "Forgets a room's messages; its epoch and offset go on.",
    reply: { status: 204, text: "They are gone" },
    errors: ["bad_room", "forbidden", "unavailable"],
  },
  {
    method: "post",
    path: "/messages",
    summary: "Publishes messages into many rooms.",
    body: { [JSON_TYPE]: "PublishArray" },
    reply: { status: 201, text: "What became of each, in their order", body: { [JSON_TYPE]: "Results" } },
    errors: ["bad_request", "too_large"],
  },
  {
    method: "get",
    path: "/rooms",
    summary: "Lists the rooms that have a log, of the whole cluster, by name.",
    query: {
      prefix: "how their names begin",
      cursor: "the page after this one's, as the hub gave it",
      limit: "most rooms of the page",
    },
    reply: { status: 200, text: "A page; with a cursor if there is more", body: { [JSON_TYPE]: "Rooms" } },
    errors: ["bad_request", "unavailable"],
  },
  {
    method: "get",
    path: "/rooms/:room",
    summary: "Tells where a room stands and how many are in it; every valid name is a room.",
    reply: { status: 200, text: "The room", body: { [JSON_TYPE]: "Room" } },
    errors: ["bad_room", "forbidden", "unavailable"],
  },
  {
    method: "get",
    path: "/rooms/:room/members",
    summary: "Lists the members of a room, of the whole cluster, in the order of their users.",
    query: { after: "the last user of the page before", limit: "most members of the page" },
    reply: { status: 200, text: "A page", body: { [JSON_TYPE]: "Members" } },
    errors: ["bad_request", "bad_room", "forbidden", "unavailable"],
  },
  {
    method: "get",
    path: "/events",
    summary: "Streams what happens in up to 10 rooms, as server-sent events.",
    query: { room: "a room; several of them as several parameters", ...STREAM_QUERY },
    reply: { status: 200, text: "Events, until one side ends it", body: { [EVENT_STREAM]: "Events" } },
    errors: ["bad_request"],
  },
  {
    method: "get",
    path: "/events/position",
    summary: "Tells where rooms stand, for a snapshot after which a stream goes on.",
    query: { room: "a room; several of them as several parameters" },
    reply: { status: 200, text: "Their positions", body: { [JSON_TYPE]: "Positions" } },
    errors: ["bad_request", "bad_room", "forbidden", "unavailable"],
  },
  {
    method: "get",
    path: "/events/:room",
    summary: "Streams what happens in a room, by its name or the id of its log, as server-sent events.",
    query: STREAM_QUERY,
    reply: { status: 200, text: "Events, until one side ends it", body: { [EVENT_STREAM]: "Events" } },
    errors: ["bad_request"],
  },
  {
    method: "get",
    path: "/rooms/:room/events",
    summary: "Streams what happens in a room, as server-sent events.",
    query: STREAM_QUERY,
    reply: { status: 200, text: "Events, until one side ends it", body: { [EVENT_STREAM]: "Events" } },
    errors: ["bad_request", "bad_room"],
  },
  {
    method: "post",
    path: "/live/:id",
    summary: "Publishes an entry into the log stream:<id>, in the BunnyLogs dialect.",
    body: { [FORM]: "LogEntry", [JSON_TYPE]: "LogEntry" },
    reply: { status: 204, text: "It is published" },
    errors: PUBLISHING,
  },
  {
    method: "get",
    path: "/live/:id",
    summary: "Leads to the page of a log.",
    reply: { status: 302, text: "To /stream/:id" },
    errors: ["bad_room"],
  },
  {
    method: "get",
    path: "/stream/:id",
    summary: "Shows the page of a log.",
    reply: { status: 200, text: "The page", body: { [HTML]: "Page" } },
    errors: ["bad_room", "not_found"],
  },
  {
    method: "get",
    path: "/chat/:name",
    summary: "Shows the page of a chat.",
    reply: { status: 200, text: "The page", body: { [HTML]: "Page" } },
    errors: ["bad_room", "not_found"],
  },
  {
    method: "get",
    path: "/",
    summary: "Shows the first page.",
    reply: { status: 200, text: "The page", body: { [HTML]: "Page" } },
    errors: ["not_found"],
  },
  {
    method: "get",
    path: "/healthz",
    summary: "Tells that the process runs.",
    reply: { status: 200, text: "It does", body: { [JSON_TYPE]: "Status" } },
    errors: [],
  },
  {
    method: "get",
    path: "/readyz",
    summary: "Tells whether this node takes requests: it is not about to stop, and its store answers.",
    reply: { status: 200, text: "It does", body: { [JSON_TYPE]: "Status" } },
    errors: ["unavailable"],
  },
  {
    method: "get",
    path: "/openapi.json",
    summary: "Describes these routes.",
    reply: { status: 200, text: "An OpenAPI 3.1 document", body: { [JSON_TYPE]: "OpenApi" } },
    errors: [],
  },
];

const patterns = ROUTES.map(({ method, path }) => ({
  method: method.toUpperCase(),
  path: new RegExp(`^${path.replaceAll(/:\w+/g, "[^/]+").replaceAll(".", String.raw`\.`)}/?$`),
}));

/** Tells whether a method and a path (without query, relative to where the hub is mounted) are a route of the hub. */
export function isRoute(method: string, path: string): boolean {
  return patterns.some((route) => {
    const fits =
      method === "OPTIONS" || method === route.method || (method === "HEAD" && route.method === "GET");
    return fits && route.path.test(path);
  });
}
