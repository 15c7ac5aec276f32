import type { HubError } from "../../shared/errors.ts";
import type { PublishReply } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { CheckedMessage } from "./message.ts";

/** What one try brought for one message. */
export type Outcome = PublishReply | Failure;

/** Why one try failed for one message. */
export class Failure {
  readonly error: HubError;
  /** The message certainly had no effect; otherwise it may have been stored or delivered all the same. */
  readonly unsent: boolean;

  constructor(error: HubError, unsent: boolean) {
    this.error = error;
    this.unsent = unsent;
  }
}

/** A message as one try sends it. */
export interface Attempt extends CheckedMessage {
  /** Only if the log may have the message without remembering its id: how long ago the first try was, in ms. */
  readonly sentAgoMs?: number;
}

/** Takes messages to the log, by one way. */
export interface Transport {
  /** More batches than these wait for their turn. */
  readonly batchesAtOnce: number;
  /**
   * Tries once, and gives an outcome for each message in its place; never rejects.
   *
   * @param signal aborts when nobody waits for this try any more
   */
  send(room: RoomName, messages: readonly Attempt[], signal: AbortSignal): Promise<readonly Outcome[]>;
  close(): Promise<void>;
}

/** Makes an answer's error a failure: what the hub refused for its rate or its memory was certainly not stored. */
export function refused(error: HubError): Failure {
  return new Failure(error, error.code === "rate_limited" || error.code === "store_full");
}
