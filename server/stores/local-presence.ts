import { HubError } from "../../shared/errors.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type {
  MembersList,
  MembersMark,
  MembersRules,
  PresenceHandler,
  PresenceStore,
  Present,
  RoomCounts,
} from "../hub/presence-store.ts";
import type { LocalMembers, LocalWatcher } from "./local-members.ts";

export interface LocalPresenceOptions {
  /** Gets what a handler throws; the other handlers and the caller never notice. */
  readonly onError?: (error: unknown) => void;
}

/** Gives one node its view of the members in this process. What it said is taken back as soon as it closes. */
export class LocalPresence implements PresenceStore {
  readonly #members: LocalMembers;
  readonly #onError: (error: unknown) => void;
  readonly #connections = new Map<RoomName, number>();
  #node: LocalWatcher | undefined;
  #closed = false;

  constructor(members: LocalMembers, options: LocalPresenceOptions = {}) {
    this.#members = members;
    this.#onError = options.onError ?? (() => {});
  }

  async start(handler: PresenceHandler): Promise<void> {
    if (this.#closed) throw closed();
    if (this.#node !== undefined)
      throw new HubError("internal", "the presence store has been started already");
    this.#node = {
      connections: this.#connections,
      receive: (room, change) => {
        try {
          handler.onMembers(room, change);
        } catch (error) {
          this.#onError(error);
        }
      },
    };
    this.#members.nodes.add(this.#node);
  }

  async touch(room: RoomName, present: Present, rules: MembersRules): Promise<void> {
    this.#members.touch(this.#open(), room, present, rules);
  }

  async linger(room: RoomName, user: string): Promise<void> {
    this.#members.linger(this.#open(), room, user);
  }

  async remove(room: RoomName, user: string): Promise<void> {
    this.#members.remove(this.#open(), room, [user]);
  }

  async list(room: RoomName): Promise<MembersList> {
    this.#open();
    return this.#members.list(room);
  }

  async marks(rooms: readonly RoomName[]): Promise<readonly MembersMark[]> {
    this.#open();
    return rooms.map((room) => this.#members.mark(room));
  }

  setConnections(room: RoomName, connections: number): void {
    if (connections > 0) this.#connections.set(room, connections);
    else this.#connections.delete(room);
  }

  async counts(rooms: readonly RoomName[]): Promise<readonly RoomCounts[]> {
    this.#open();
    const nodes = this.#members.nodes.all();
    return rooms.map((room) => ({
      connections: nodes.reduce((sum, { connections }) => sum + (connections.get(room) ?? 0), 0),
      members: this.#members.mark(room).total,
    }));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#node === undefined) return;
    this.#members.nodes.delete(this.#node);
    this.#members.forget(this.#node);
  }

  #open(): LocalWatcher {
    if (this.#closed || this.#node === undefined) throw closed();
    return this.#node;
  }
}

function closed(): HubError {
  return new HubError("unavailable", "the store has been closed");
}
