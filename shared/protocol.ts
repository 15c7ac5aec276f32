import type { ErrorBody, ErrorCode } from "./errors.ts";
import type { Message, Meta } from "./message.ts";
import type { Position } from "./position.ts";

/** Why a resume could not be proven complete, or what a running room lost. */
export type GapReason = "epoch_changed" | "trimmed" | "rolled_back" | "lost";

/** A wish for a start: with the last so many messages, or with those of the last length of time (`"5m"`). */
export type Rewind = number | string;

export interface JoinRequest {
  readonly room: string;
  /** The position, or its cursor, after which the reader goes on. */
  readonly since?: Position | string;
  readonly rewind?: Rewind;
}

export interface JoinReply {
  readonly room: string;
  /** The last message that the reader has now; the next live one is the next offset. */
  readonly position: Position;
  readonly cursor: string;
  /** Only with `since`: nothing between it and now is missing. */
  readonly recovered?: boolean;
  readonly reason?: GapReason;
  /** How many messages came before this reply. */
  readonly replayed: number;
  /** Only with `since` or `rewind`: the oldest message that is still kept. */
  readonly firstOffset?: number;
}

export interface PublishRequest {
  readonly room: string;
  readonly event: string;
  readonly data: unknown;
  readonly id?: string;
  readonly ephemeral?: boolean;
  /** Only for ephemeral messages: false leaves the sender out. */
  readonly echo?: boolean;
}

/** Where a kept message went. */
export interface Published {
  readonly room: string;
  readonly id: string;
  readonly epoch: string;
  readonly offset: number;
  readonly cursor: string;
  /** True if this id was published before: the position is the first one's. */
  readonly duplicate: boolean;
}

/** An ephemeral message was sent out; it has no place. */
export interface PublishedEphemeral {
  readonly room: string;
  readonly id: string;
  readonly ephemeral: true;
}

export type PublishReply = Published | PublishedEphemeral;

export interface HistoryRequest {
  readonly room: string;
  /** Messages after this offset or position, oldest first. */
  readonly after?: number | Position | string;
  /** Messages before this offset or position: the newest of them, oldest first. */
  readonly before?: number | Position | string;
  readonly limit?: number;
}

export interface HistoryReply {
  readonly messages: readonly Message[];
  /** The room's newest message. */
  readonly position: Position;
  readonly cursor: string;
  readonly firstOffset: number;
  /** The page reaches the head (`after`), or the first message ever (`before`). */
  readonly complete: boolean;
  /**
   * Only if `after` was a position: nothing between it and the page is missing. Only false if `before` was one: it is of
   * another log, and the page is the newest.
   */
  readonly recovered?: boolean;
  readonly reason?: GapReason;
}

export type Reply<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly error: ErrorBody };

/** From here on the room's log is `epoch`; messages `from` to `to` will not come, the next one is `to + 1`. */
export interface Gap {
  readonly room: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
}

/** This connection is out of the room. */
export interface RoomClosed {
  readonly room: string;
  readonly code: ErrorCode | "kicked";
  readonly reason: string;
}

/** Codes after which a client comes back by itself, and those after which it must not. */
export type ClosingCode =
  "shutdown" | "slow" | "expired" | "unavailable" | "invalid_token" | "forbidden" | "kicked" | "protocol";

/** The connection is about to be closed. */
export interface Closing {
  readonly code: ClosingCode;
  readonly reconnect: boolean;
  /** A client that comes back waits so long first, so that not all come at once. */
  readonly delayMs: number;
}

/** A request without acknowledgement failed. */
export interface RequestFailed {
  readonly request: string;
  readonly room?: string;
  readonly code: ErrorCode;
  readonly message: string;
}

type Ack<T> = (reply: Reply<T>) => void;

/** What a client may send on the namespace `/`. */
export interface ClientToServer {
  join(request: JoinRequest, ack?: Ack<JoinReply>): void;
  leave(request: { readonly room: string }, ack?: Ack<{ readonly room: string }>): void;
  publish(request: PublishRequest, ack?: Ack<PublishReply>): void;
  history(request: HistoryRequest, ack?: Ack<HistoryReply>): void;
  subscribe(...rooms: string[]): void;
}

/** What the hub itself sends; a room's messages come as events of their own, `(data, meta)`. */
export interface ServerToClient {
  "room:joined"(reply: JoinReply): void;
  "room:gap"(gap: Gap): void;
  "room:closed"(closed: RoomClosed): void;
  "hub:closing"(closing: Closing): void;
  "hub:error"(failed: RequestFailed): void;
  joined(room: string): void;
}

/** A listener for a room's messages. */
export type MessageListener<Data = unknown> = (data: Data, meta: Meta) => void;
