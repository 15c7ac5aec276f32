import type { From } from "../../shared/message.ts";
import type { RateLimit } from "./rate-limit.ts";

/** Whom the hub deals with: one connection, one HTTP caller, or the program that embeds the hub. */
export interface Session {
  /** The connection's id; unique in the cluster. */
  readonly id: string;
  /** Speaks in the messages that it publishes; undefined for workers. */
  readonly from?: From;
  /** What the caller showed to prove who it is; checked by the `authorize` hook. */
  readonly token?: string;
  /** Counts what this connection publishes; undefined where nobody counts. */
  readonly rateLimit?: RateLimit;
}
