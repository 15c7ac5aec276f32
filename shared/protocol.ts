import type { ErrorBody, ErrorCode } from "./errors.ts";
import type { Message, Meta } from "./message.ts";
import type { Position } from "./position.ts";
import type { Member } from "./presence.ts";

/** Why a resume could not be proven complete, or what a running room lost. */
export type GapReason = "epoch_changed" | "trimmed" | "rolled_back" | "lost";

/** A wish for a start: with the last so many messages, or with those of the last length of time (`"5m"`). */
export type Rewind = number | string;

export interface JoinRequest {
  readonly room: string;
  /** The position, or its cursor, after which the reader goes on. */
  readonly since?: Position | string;
  readonly rewind?: Rewind;
  /** Be a member of the room, and be told of the others. */
  readonly presence?: boolean;
  /** What others see of the member beside its name: any JSON up to 1 KiB. */
  readonly info?: unknown;
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
  /** Only with `presence`: the first page of the members, in the order of their users. */
  readonly members?: readonly Member[];
  /** Only with `presence`: how many members there are. */
  readonly total?: number;
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

export interface MembersRequest {
  readonly room: string;
  /** The last user of the page before. */
  readonly after?: string;
  readonly limit?: number;
}

export interface MembersReply {
  /** In the order of their users. */
  readonly members: readonly Member[];
  /** How many members there are on all nodes, in this page or not. */
  readonly total: number;
  /** How many connections are in the room on all nodes, of members or not. */
  readonly connections: number;
  /** The page reaches the last member. */
  readonly complete: boolean;
}

/** Changes what a member tells of itself. */
export interface InfoRequest {
  readonly room: string;
  readonly info: unknown;
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

/** The members have changed since the reply to the join, or the push before this one. */
export interface MembersPush {
  readonly room: string;
  /** Also those who were there and have changed their name or info. */
  readonly joined: readonly Member[];
  /** As they were last. */
  readonly left: readonly Member[];
  readonly total: number;
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
  members(request: MembersRequest, ack?: Ack<MembersReply>): void;
  info(request: InfoRequest, ack?: Ack<{ readonly room: string }>): void;
  subscribe(...rooms: string[]): void;
}

/** What the hub itself sends; a room's messages come as events of their own, `(data, meta)`. */
export interface ServerToClient {
  "room:joined"(reply: JoinReply): void;
  "room:gap"(gap: Gap): void;
  "room:members"(change: MembersPush): void;
  "room:closed"(closed: RoomClosed): void;
  "hub:closing"(closing: Closing): void;
  "hub:error"(failed: RequestFailed): void;
  joined(room: string): void;
}

/** A listener for a room's messages. */
export type MessageListener<Data = unknown> = (data: Data, meta: Meta) => void;
