import { ErrorReply } from "redis";
import { HubError } from "../../../shared/errors.ts";

/** Replies of a Redis that can't serve now and may again: starting, failing over, busy, unable to save. */
const PASSING = new Set([
  "ASK",
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "MISCONF",
  "MOVED",
  "NOAUTH",
  "NOREPLICAS",
  "READONLY",
  "TRYAGAIN",
  "WRONGPASS",
]);

/** Tells whether Redis answered, and its answer begins with this word. */
export function isReply(error: unknown, word: string): boolean {
  return error instanceof ErrorReply && wordOf(error) === word;
}

/** Makes a HubError of whatever a command ended with. Only an answer of Redis is known to have changed nothing. */
export function storeError(error: unknown): HubError {
  if (error instanceof HubError) return error;
  if (!(error instanceof ErrorReply)) return unavailable("Redis did not answer", error);
  const word = wordOf(error);
  if (word === "OOM") return new HubError("store_full", "Redis has no memory left", { cause: error });
  if (PASSING.has(word)) return unavailable(`Redis can't serve now (${word})`, error);
  return new HubError("internal", "Redis refused a command; the hub's log has the reason", { cause: error });
}

export function unavailable(message: string, cause?: unknown): HubError {
  return new HubError("unavailable", message, { cause });
}

/** Says why no connection came about, naming the server by its URL without the password. */
export function connectError(url: string, error: unknown): HubError {
  return unavailable(`Redis at ${withoutPassword(url)} ${reasonOf(error)}`, error);
}

function reasonOf(error: unknown): string {
  if (isReply(error, "WRONGPASS")) return "refuses the password or the user name of the URL";
  if (isReply(error, "NOAUTH"))
    return "asks for a password, and the URL has none (redis://:password@host:port)";
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof HubError) return text;
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? `can't be reached (${code})` : `can't be used: ${text}`;
}

function withoutPassword(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^:@/]*):.*@/i, "$1:***@");
}

function wordOf(error: ErrorReply): string {
  return /^[A-Z]+/.exec(error.message)?.[0] ?? "";
}
