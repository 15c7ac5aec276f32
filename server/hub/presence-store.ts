import type { HubError } from "../../shared/errors.ts";
import type { Member } from "../../shared/presence.ts";
import type { RoomName } from "../../shared/room-name.ts";

/** What a node says of a user who has connections of a room there. */
export interface Present {
  readonly user: string;
  readonly name: string;
  /** JSON text. */
  readonly info?: string;
}

export interface MembersRules {
  /** Nobody may have the name of another who is present, however it is written (see `foldName`). */
  readonly uniqueNames: boolean;
  /** The room takes so many members. */
  readonly most: number;
}

/**
 * One step of a room's members. Steps of one `life` follow one another by `version`, without holes; another life means
 * that the store has lost what it knew and began anew.
 */
export interface MembersMark {
  readonly life: string;
  readonly version: number;
  readonly total: number;
}

export interface MembersChange extends MembersMark {
  /** Also those who were there and have changed their name or info. */
  readonly joined: readonly Member[];
  /** As they were last. */
  readonly left: readonly Member[];
}

/** All members; what `mark` says is contained, later changes may be. */
export interface MembersList {
  readonly mark: MembersMark;
  readonly members: readonly Member[];
}

/** Of all nodes. */
export interface RoomCounts {
  readonly connections: number;
  readonly members: number;
}

/**
 * Who is in which room, across nodes, by lease: what a node that has died said is taken back by the others within 15 s.
 *
 * A user is a member of a room while at least one node says so. A node says it once, however many connections the user
 * has there. Whoever makes the change also announces it, in one atomic step, so it is announced once.
 *
 * Every method but `close` and `setConnections` may reject with a HubError `unavailable`: what was asked may have
 * happened, and may be asked again. Of one room, what a node asks is carried out in the order of its calls.
 */
export interface PresenceStore {
  start(handler: PresenceHandler): Promise<void>;
  /**
   * Says that the user is present here. Again, it changes name and info.
   *
   * @throws HubError `name_taken`, which can take 15 s, as long as it can't be told whether its holder still lives;
   *   `too_large` if the room is full
   */
  touch(room: RoomName, present: Present, rules: MembersRules): Promise<void>;
  /** The user's last connection here has ended but may come back: the member stays, its name is free for others. */
  linger(room: RoomName, user: string): Promise<void>;
  /** Takes back what this node said of the user. */
  remove(room: RoomName, user: string): Promise<void>;
  /** Reads all members of a room, without keeping others waiting however many there are. */
  list(room: RoomName): Promise<MembersList>;
  /** Where the members of many rooms stand, in one round; where a part of the store is away, its rooms have the error. */
  marks(rooms: readonly RoomName[]): Promise<readonly (MembersMark | HubError)[]>;
  /** Says how many connections a room has on this node; what is said is gathered and known elsewhere within 2 s. */
  setConnections(room: RoomName, connections: number): void;
  /** In time that depends on the number of nodes alone. */
  counts(rooms: readonly RoomName[]): Promise<readonly RoomCounts[]>;
  /** What this node said is taken back when its clients have had time to come back elsewhere. */
  close(): Promise<void>;
}

/** What a presence store tells its node. No method may throw. */
export interface PresenceHandler {
  /** The members of a room that the node's broker is subscribed to have changed. */
  onMembers(room: RoomName, change: MembersChange): void;
  /**
   * What this node said may be forgotten, or of another life: everything has to be said again, with `touch`, also that of
   * users who linger. Resolves when it has been, or never if the node closes.
   */
  onForgotten(): Promise<void>;
}
