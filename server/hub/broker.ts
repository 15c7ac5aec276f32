import type { HubError } from "../../shared/errors.ts";
import type { Position } from "../../shared/position.ts";
import type { RoomName } from "../../shared/room-name.ts";

/** A message on its way into a log. */
export interface Draft {
  readonly id: string;
  /**
   * The sender may send this id again, so the log remembers it. An id that nobody else knows yet needs no memory.
   */
  readonly keyed: boolean;
  /**
   * Only if the message may be stored already: how long ago it was sent first, in ms of a clock that never jumps. Then it
   * is looked for among what the log has stored since, whether its id is remembered or not.
   */
  readonly sentAgoMs?: number;
  /** The packet up to what only the log knows (see `shared/packet.ts`). */
  readonly head: string;
}

/** A message that has its place. */
export interface StoredMessage {
  readonly room: RoomName;
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
  /** Unix milliseconds of the store's clock; never falls as the offset grows. */
  readonly time: number;
  /** The JSON array `[event, data, meta]`, as every member gets it. */
  readonly packet: string;
}

/** A message that is delivered live and never kept. */
export interface EphemeralDraft {
  readonly id: string;
  readonly head: string;
  /** The connection (of whichever node) that does not get it. */
  readonly except?: string;
}

export interface EphemeralMessage {
  readonly room: RoomName;
  readonly packet: string;
  readonly except?: string;
}

export interface Retention {
  /** The newest so many are kept; 0 keeps none but still gives positions. */
  readonly messages: number;
  readonly ageMs: number;
}

/** What became of one draft. */
export type Appended =
  | { readonly ok: true; readonly position: Position; readonly time: number; readonly duplicate: boolean }
  | { readonly ok: false; readonly error: HubError };

/** A page after an offset, before one, or from the first message that is at most so old; always oldest first. */
export type HistoryQuery =
  | { readonly after: number; readonly limit: number }
  | { readonly before: number; readonly limit: number }
  | { readonly youngerThanMs: number; readonly limit: number };

/** A log's ends: its newest message ever, and the oldest that is kept (the next one's offset if none is). */
export interface LogEnds {
  readonly head: Position;
  readonly firstOffset: number;
}

export interface HistoryPage extends LogEnds {
  readonly messages: readonly StoredMessage[];
}

export interface CheckQuery {
  readonly room: RoomName;
  readonly offset: number;
}

export interface CheckResult extends LogEnds {
  /** The id of the message at the asked offset, if it is still kept or is the head. */
  readonly idAt: string | undefined;
}

export interface RoomsQuery {
  readonly prefix: string;
  /** The last room of the page before. */
  readonly after?: string;
  readonly limit: number;
}

export interface RoomsPage {
  readonly rooms: readonly { readonly room: RoomName; readonly offset: number }[];
  /** There are more after the last one. */
  readonly more: boolean;
}

/**
 * Carries a room's messages between nodes and keeps its log.
 *
 * Every method rejects with a HubError: `unavailable` when the store can't be asked or did not answer in time (what was
 * asked may still have happened), `store_full` when it certainly did not.
 */
export interface Broker {
  start(handler: BrokerHandler): Promise<void>;
  /**
   * Gives each draft the next offset, stores it and sends it out, in one atomic step per room. A keyed id that was
   * seen within the idempotency window gives its first position and `duplicate: true`; with other content, `id_reused`.
   * So does a draft that was sent before and is found; where the log is too short to tell, it is `unavailable`.
   */
  append(room: RoomName, drafts: readonly Draft[], retention: Retention): Promise<readonly Appended[]>;
  /** Sends to the members who are there now: no place, no memory, at most once. */
  broadcast(room: RoomName, draft: EphemeralDraft): Promise<void>;
  /** When it resolves, this node receives what is appended from now on. */
  subscribe(room: RoomName): Promise<void>;
  /** Never rejects: a node that can't reach its store receives nothing anyway. */
  unsubscribe(room: RoomName): Promise<void>;
  read(room: RoomName, query: HistoryQuery): Promise<HistoryPage>;
  /**
   * The newest messages of many logs in one round, as cheap as can be; undefined for a room that has no log. Where only
   * a part of the store is away, its rooms have the error instead.
   */
  heads(rooms: readonly RoomName[]): Promise<readonly (Position | HubError | undefined)[]>;
  /** Reads the ends of many logs in one round; makes the epoch of a room that has none yet. */
  check(queries: readonly CheckQuery[]): Promise<readonly CheckResult[]>;
  /**
   * Gives a room's log another epoch if it still has this one, so that of several nodes one does; what is kept goes on
   * under the new epoch. Resolves with the ends as they are then, whoever renewed it.
   */
  renewEpoch(room: RoomName, epoch: string): Promise<LogEnds>;
  /** Forgets the messages; epoch and offset go on. */
  clear(room: RoomName): Promise<void>;
  /** Rooms that have had a message, in the order of their names. */
  rooms(query: RoomsQuery): Promise<RoomsPage>;
  /** Resolves if the store answers now. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** What a broker tells its node. No method may throw. */
export interface BrokerHandler {
  onMessage(message: StoredMessage): void;
  onEphemeral(message: EphemeralMessage): void;
  /** The store can't be heard until it is told of the interruption: what is known of it may be out of date. */
  onAway(): void;
  /** Messages may have passed unseen: the room, or every held one, must be compared with its log. */
  onInterruption(room?: RoomName): void;
}
