import { HubError } from "../../shared/errors.ts";
import type { MembersReply } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import { optionsOf, type RoomOptionsTable } from "../../shared/room-options.ts";
import type { Limits } from "../../shared/limits.ts";
import type { Observer } from "./observer.ts";
import { Presence } from "./presence.ts";
import type { PresenceStore, RoomCounts } from "./presence-store.ts";
import type { Roster } from "./roster.ts";
import { Rosters } from "./rosters.ts";
import type { Session } from "./session.ts";

export interface MembersDeskContext {
  readonly presence: PresenceStore;
  readonly observer: Observer;
  readonly limits: Limits;
  readonly rooms: RoomOptionsTable;
}

export interface MembersQuery {
  /** The last user of the page before. */
  readonly after?: string;
  readonly limit?: number;
}

/** A page of members takes so much of what may wait for one connection at most. */
const PAGE_SHARE = 0.25;

/** Knows who is in the rooms: says who is here, and keeps what those here want to know of all nodes. */
export class MembersDesk {
  readonly #context: MembersDeskContext;
  readonly #store: PresenceStore;
  readonly #presence: Presence;
  readonly #rosters: Rosters;
  readonly #connections = new Map<RoomName, number>();

  constructor(context: MembersDeskContext) {
    const { presence: store, observer, limits, rooms } = context;
    this.#context = context;
    this.#store = store;
    this.#presence = new Presence({
      store,
      observer,
      rulesOf: (room) => ({
        uniqueNames: optionsOf(room, rooms).uniqueNames === true,
        most: limits.membersPerRoom,
      }),
    });
    this.#rosters = new Rosters({
      store,
      observer,
      pageLimit: limits.membersPage,
      pageBytes: limits.outboundBytes * PAGE_SHARE,
      onForgotten: (room) => void this.#presence.sayAgain(room),
    });
  }

  async start(): Promise<void> {
    await this.#store.start({
      onMembers: (room, change) => this.#rosters.onMembers(room, change),
      onForgotten: () => this.#presence.sayAgain(),
    });
  }

  /** A connection has come into the room. */
  arrive(room: RoomName): void {
    this.#count(room, 1);
  }

  depart(room: RoomName): void {
    this.#count(room, -1);
  }

  /**
   * Makes who joins a member, if it wants to be one or the room makes everyone one.
   *
   * @returns whether it is one, and has to `exit`; false, and not a promise, where nothing has to be asked
   * @throws HubError `name_taken`, `too_large`, `unavailable`; `bad_request` for one that is nobody
   */
  enter(
    room: RoomName,
    session: Session,
    { presence, info }: { readonly presence: boolean; readonly info: string | undefined },
  ): false | Promise<true> {
    if (!presence && optionsOf(room, this.#context.rooms).presence !== true) {
      if (info === undefined) return false;
      throw new HubError("bad_request", "info is of a member: join with presence");
    }
    const { from } = session;
    if (from === undefined) {
      if (presence) throw new HubError("bad_request", "only users can be members");
      return false;
    }
    const present = { ...from, ...(info === undefined ? {} : { info }) };
    return this.#presence.enter(room, present).then(() => true);
  }

  exit(room: RoomName, { from }: Session, how: { readonly meant: boolean }): void {
    if (from !== undefined) this.#presence.exit(room, from.user, how);
  }

  /** @throws HubError `bad_request` for who is no member here; `unavailable` */
  async inform(room: RoomName, { from }: Session, info: string): Promise<void> {
    await this.#presence.inform(room, from?.user ?? "", info);
  }

  /**
   * What this node knows of a room's members; the room must be held and open.
   *
   * @throws HubError `unavailable`
   */
  roster(room: RoomName): Promise<Roster> {
    return this.#rosters.open(room);
  }

  /** A page of the members of a room that is held and open. */
  async page(room: RoomName, { after, limit }: MembersQuery): Promise<MembersReply> {
    const [roster, [counts]] = await Promise.all([this.roster(room), this.#store.counts([room])]);
    return { ...roster.page(after, limit), connections: counts!.connections };
  }

  /** Of all nodes. */
  counts(rooms: readonly RoomName[]): Promise<readonly RoomCounts[]> {
    return this.#store.counts(rooms);
  }

  /** What this node knows of the members may be out of date. */
  refresh(room?: RoomName): void {
    this.#rosters.refresh(room);
  }

  /** Nobody on this node holds the room any more. */
  drop(room: RoomName): void {
    this.#rosters.drop(room);
  }

  async close(): Promise<void> {
    this.#presence.close();
    this.#rosters.close();
    await this.#store.close();
  }

  #count(room: RoomName, change: 1 | -1): void {
    const connections = (this.#connections.get(room) ?? 0) + change;
    if (connections === 0) this.#connections.delete(room);
    else this.#connections.set(room, connections);
    this.#store.setConnections(room, connections);
  }
}
