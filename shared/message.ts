import { HubError } from "./errors.ts";
import type { Limits } from "./limits.ts";
import { isMessageId } from "./position.ts";
import type { RoomName } from "./room-name.ts";
import { utf8Length } from "./utf8.ts";

/** Who spoke. */
export interface From {
  readonly user: string;
  readonly name: string;
}

/** What goes with every message as the last argument of its event; the same for every member. */
export interface Meta {
  readonly room: RoomName;
  readonly id: string;
  readonly epoch?: string;
  readonly offset?: number;
  /** Unix milliseconds of the store's clock. */
  readonly time: number;
  readonly from?: From;
  readonly ephemeral?: true;
}

/** A kept message as lists hold it. */
export interface Message extends Meta {
  readonly epoch: string;
  readonly offset: number;
  readonly event: string;
  readonly data: unknown;
}

const EVENT = /^[A-Za-z][A-Za-z0-9_.:-]{0,99}$/;
/** Names that Socket.IO's clients and servers keep for themselves. */
const RESERVED = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);

/**
 * Checks an event's name.
 *
 * @throws HubError `bad_event`
 */
export function parseEvent(input: unknown): string {
  if (typeof input !== "string" || !EVENT.test(input)) {
    throw new HubError("bad_event", "an event is 1-100 of A-Z a-z 0-9 _ . : - and begins with a letter");
  }
  if (RESERVED.has(input) || input.startsWith("room:") || input.startsWith("hub:")) {
    throw new HubError("bad_event", `the event ${input} is reserved`);
  }
  return input;
}

/**
 * Checks a message's id.
 *
 * @throws HubError `bad_request`
 */
export function parseMessageId(input: unknown): string {
  if (isMessageId(input)) return input;
  throw new HubError("bad_request", "an id is 1-64 of A-Z a-z 0-9 _ . : -");
}

/**
 * Turns a message's data into its JSON text, the one encoding that it gets.
 *
 * @throws HubError `bad_request` for what is no JSON or nested too deep, `too_large`
 */
export function encodeData(data: unknown, limits: Pick<Limits, "dataBytes" | "dataDepth">): string {
  if (data === undefined)
    throw new HubError("bad_request", "data is missing: send null for a message without any");
  checkJson(data, limits.dataDepth);
  const json = JSON.stringify(data);
  // A character takes at most three bytes, so few texts must be counted.
  if (json.length * 3 > limits.dataBytes && utf8Length(json) > limits.dataBytes) {
    throw new HubError("too_large", `data takes more than ${limits.dataBytes} bytes as JSON`);
  }
  return json;
}

function checkJson(value: unknown, levels: number): void {
  if (value === null || typeof value === "string" || typeof value === "boolean") return;
  if (Number.isFinite(value) || value instanceof Date) return;
  const isArray = Array.isArray(value);
  // By tag, not by prototype: an object of another realm is as plain as ours, a Buffer or Map is not.
  if (!isArray && Object.prototype.toString.call(value) !== "[object Object]")
    throw new HubError("bad_request", "data must be JSON: no binary, functions, NaN and the like");
  if (levels === 0) throw new HubError("bad_request", "data is nested too deep");
  for (const item of Object.values(value as object)) {
    if (item !== undefined || isArray) checkJson(item, levels - 1);
  }
}
