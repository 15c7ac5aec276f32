import { ErrorReply } from "redis";
import { HubError } from "../../../shared/errors.ts";
import { addressOf } from "./cluster-map.ts";

/**
 * What a master answers about a key that it does not have: it has `moved` for good, the others shall be `asked` for
 * this one command, or its slot is on its way and the command has to be tried `again`.
 */
export type Redirect =
  | { readonly kind: "moved" | "asked"; readonly slot: number; readonly address: string }
  | { readonly kind: "again" };

const AGAIN: Redirect = { kind: "again" };

/**
 * Reads where an error sends a command; undefined if it is about something else.
 *
 * @param host whom the command was sent to; stands in for a master that does not know its own name
 */
export function redirectOf(error: unknown, host: string): Redirect | undefined {
  const cause = error instanceof HubError ? error.cause : error;
  if (!(cause instanceof ErrorReply)) return undefined;
  if (cause.message.startsWith("TRYAGAIN")) return AGAIN;
  const found = /^(MOVED|ASK) (\d+) (.*):(\d+)$/.exec(cause.message);
  if (found === null) return undefined;
  const [, word, slot, name, port] = found as unknown as [string, string, string, string, string];
  return {
    kind: word === "ASK" ? "asked" : "moved",
    slot: Number(slot),
    address: addressOf(name, port, host),
  };
}
