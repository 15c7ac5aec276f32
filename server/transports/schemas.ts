import { z } from "zod";
import { parseDuration } from "../../shared/duration.ts";
import { HubError } from "../../shared/errors.ts";
import type { Limits } from "../../shared/limits.ts";
import { encodeData } from "../../shared/message.ts";
import { parsePosition, type Position } from "../../shared/position.ts";
import type { Rewind } from "../../shared/protocol.ts";
import { parseRoomAlias, parseRoomName, type RoomName } from "../../shared/room-name.ts";
import type { Place } from "../hub/history.ts";
import type { Publication } from "../hub/hub.ts";
import {
  fieldsOf,
  flagOf,
  messageProperties,
  parseMessage,
  parsePublish,
  type PublishInput,
} from "./publications.ts";

/**
 * Checks input against a schema.
 *
 * @throws HubError of the first fault; `what` names the input in the message
 */
function check<Schema extends z.ZodType>(schema: Schema, input: unknown, what: string): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  if (issue.code === "custom" && issue.params?.["refused"] instanceof HubError) throw issue.params["refused"];
  const path = issue.path.join(".");
  throw new HubError("bad_request", `${path === "" ? what : `${what}: ${path}`}: ${issue.message}`);
}

type Checked<Output> = z.ZodPipe<z.ZodUnknown, z.ZodTransform<Output>>;
type Issues = Parameters<Parameters<z.ZodUnknown["transform"]>[0]>[1];

/** Runs one of the contract's own checks inside a schema, so that its error comes out as it is. */
function by<Output>(parse: (input: unknown) => Output): Checked<Output> {
  return z.unknown().transform((input, issues) => run(parse, input, issues));
}

/** The same for a field that may be absent. */
function ifPresent<Output>(parse: (input: unknown) => Output): z.ZodExactOptional<Checked<Output>> {
  const checked = z.unknown().transform((input, issues) => {
    if (input !== undefined) return run(parse, input, issues);
    // An absent field comes here too, and its issue is dropped: an error would cost its stack each time for nothing.
    issues.addIssue({ code: "custom", message: "it is undefined" });
    return z.NEVER;
  });
  return checked.exactOptional();
}

function run<Output>(parse: (input: unknown) => Output, input: unknown, issues: Issues): Output {
  try {
    return parse(input);
  } catch (refused) {
    if (!(refused instanceof HubError)) throw refused;
    issues.addIssue({ code: "custom", message: refused.message, params: { refused } });
    return z.NEVER;
  }
}

function parseRewind(input: unknown): number | string {
  if (typeof input === "number" && Number.isSafeInteger(input) && input >= 0) return input;
  if (typeof input === "string") {
    if (/^\d{1,9}$/.test(input)) return Number(input);
    parseDuration(input);
    return input;
  }
  throw new HubError("bad_request", 'rewind is a number of messages, or a length of time such as "5m"');
}

function parsePlace(input: unknown): number | Position {
  if (typeof input === "number" && Number.isSafeInteger(input) && input >= 0) return input;
  if (typeof input === "string" && /^\d{1,15}$/.test(input)) return Number(input);
  return parsePosition(input);
}

/** A join as it came in, checked; its info is encoded already. */
export interface JoinInput {
  readonly room: RoomName;
  readonly since?: Position;
  readonly rewind?: Rewind;
  readonly presence?: boolean;
  readonly info?: string;
}

export interface MembersInput {
  readonly room: RoomName;
  readonly after?: string;
  readonly limit: number;
}

export interface HistoryInput {
  readonly room: RoomName;
  readonly after?: Place;
  readonly before?: Place;
  readonly limit: number;
}

/** Checks what comes in from outside; every method throws a HubError of the first fault. */
export interface Parsers {
  room(input: unknown): RoomName;
  /** A bare name means a stream. */
  alias(input: unknown): RoomName;
  join(input: unknown): JoinInput;
  leave(input: unknown): { readonly room: RoomName };
  publish(input: unknown): PublishInput;
  /** A publication whose room is known from elsewhere. */
  message(input: unknown): Publication;
  history(input: unknown): HistoryInput;
  members(input: unknown): MembersInput;
  /** What a member tells of itself, as JSON text. */
  info(input: unknown): { readonly room: RoomName; readonly info: string };
  /** The same checks as JSON Schemas, for documentation: of a message, and of one with its room. */
  readonly jsonSchemas: { readonly message: JsonSchema; readonly publish: JsonSchema };
}

export type JsonSchema = Readonly<Record<string, unknown>>;

const DEFAULT_PAGE = 100;
const LONGEST_USER = 256;

/** How many items of a page somebody wants. */
function pageOf(most: number, usual: number) {
  return z
    .union([
      z.number(),
      z
        .string()
        .regex(/^\d{1,9}$/, "it is a whole number")
        .transform(Number),
    ])
    .pipe(z.number().int().min(1).max(most))
    .default(usual);
}

function encodeInfo(input: unknown, limits: Limits): string {
  try {
    return encodeData(input, { ...limits, dataBytes: limits.memberInfoBytes });
  } catch (error) {
    const { code, message } = error as HubError;
    throw new HubError(code, message.replace(/^data/, "info"));
  }
}

/** By hand, as a message is: each connection joins, and with a schema that was a thirtieth of what it cost. */
function parseJoin(input: unknown, limits: Limits): JoinInput {
  const fields = fieldsOf(input, "join");
  const room = parseRoomName(fields["room"], limits.roomNameBytes);
  return {
    room,
    ...("since" in fields ? { since: parsePosition(fields["since"]) } : {}),
    ...("rewind" in fields ? { rewind: parseRewind(fields["rewind"]) } : {}),
    ...("presence" in fields ? { presence: flagOf(fields, "presence", "join") } : {}),
    ...("info" in fields ? { info: encodeInfo(fields["info"], limits) } : {}),
  };
}

/** Makes the checks with one hub's limits. */
export function createParsers(limits: Limits): Parsers {
  const room = by((input) => parseRoomName(input, limits.roomNameBytes));
  const place = ifPresent(parsePlace);
  const encode = (input: unknown): string => encodeInfo(input, limits);

  const leave = z.object({ room });
  const info = z.object({ room, info: by(encode) });
  const members = z.object({
    room,
    after: z.string().max(LONGEST_USER).exactOptional(),
    limit: pageOf(limits.membersPage, limits.membersPage),
  });
  const history = z
    .object({
      room,
      after: place,
      before: place,
      limit: pageOf(limits.historyPage, Math.min(DEFAULT_PAGE, limits.historyPage)),
    })
    .refine(
      (value) => value.after === undefined || value.before === undefined,
      "give after or before, not both",
    );

  const properties = messageProperties(limits);
  return {
    room: (input) => parseRoomName(input, limits.roomNameBytes),
    alias: (input) => parseRoomAlias(input, limits.roomNameBytes),
    join: (input) => parseJoin(input, limits),
    leave: (input) => check(leave, input, "leave"),
    publish: (input) => parsePublish(input, limits),
    message: (input) => parseMessage(input, limits),
    history: (input) => check(history, input, "history"),
    members: (input) => check(members, input, "members"),
    info: (input) => check(info, input, "info"),
    jsonSchemas: {
      message: { type: "object", properties, required: ["event", "data"] },
      publish: {
        type: "object",
        properties: { room: { type: "string", examples: ["chat:lobby"] }, ...properties },
        required: ["room", "event", "data"],
      },
    },
  };
}
