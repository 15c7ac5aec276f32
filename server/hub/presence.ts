import { setTimeout as sleep } from "node:timers/promises";
import { HubError } from "../../shared/errors.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Observer } from "./observer.ts";
import type { MembersRules, PresenceStore, Present } from "./presence-store.ts";

export interface PresenceContext {
  readonly store: PresenceStore;
  readonly observer: Observer;
  /** Whether names are unique in a room, and how many members it takes. */
  readonly rulesOf: (room: RoomName) => MembersRules;
}

/** One user in one room on this node. */
interface Here {
  /** As the store has it, or is being told. */
  present: Present;
  connections: number;
  /** Runs out when nobody of a user whose last connection has ended has come back. */
  grace: NodeJS.Timeout | undefined;
  /** The store's answer to what it was told last. */
  said: Promise<void>;
}

/** A user whose last connection has ended stays a member for so long, in ms: a reload is nobody's business. */
export const GRACE_MS = 3_000;
const RETRY_MS = 1_000;

/**
 * Who is present on this node. It tells the store once for each user and room, however many connections there are, and
 * tells it again whatever the store may have forgotten.
 */
export class Presence {
  readonly #context: PresenceContext;
  readonly #store: PresenceStore;
  readonly #rooms = new Map<RoomName, Map<string, Here>>();
  /** What has been tried to take back in vain. */
  readonly #owed = new Map<RoomName, Set<string>>();
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(context: PresenceContext) {
    this.#context = context;
    this.#store = context.store;
  }

  /**
   * A connection of the user has come; it must `exit` if this resolves, and not if it rejects.
   *
   * @throws HubError `name_taken`, `too_large`, `unavailable`
   */
  async enter(room: RoomName, present: Present): Promise<void> {
    const before = this.#rooms.get(room)?.get(present.user);
    if (before === undefined) return this.#begin(room, present);
    before.connections += 1;
    const wasAway = before.grace !== undefined;
    clearTimeout(before.grace);
    before.grace = undefined;
    try {
      await this.#say(room, before, { ...before.present, ...present }, wasAway);
    } catch (error) {
      this.exit(room, present.user, { meant: true });
      throw error;
    }
  }

  /**
   * A connection of the user has gone.
   *
   * @param meant the user has left; otherwise the connection has ended and may come back
   */
  exit(room: RoomName, user: string, { meant }: { readonly meant: boolean }): void {
    const here = this.#rooms.get(room)?.get(user);
    if (here === undefined) return;
    here.connections -= 1;
    if (here.connections > 0 || this.#closed) return;
    if (meant) return this.#end(room, user);
    here.grace = setTimeout(() => this.#end(room, user), GRACE_MS).unref();
    // If that fails the name stays taken until the user has left, which is no more than unfortunate.
    this.#store.linger(room, user).catch(() => undefined);
  }

  /**
   * Changes what a member tells of itself.
   *
   * @throws HubError `bad_request` for who is no member here; `unavailable`
   */
  async inform(room: RoomName, user: string, info: string): Promise<void> {
    const here = this.#rooms.get(room)?.get(user);
    if (here === undefined) throw new HubError("bad_request", "join the room with presence first");
    await this.#say(room, here, { ...here.present, info }, false);
  }

  /** Tells the store again who is here, in one room or in all; resolves when it knows. */
  async sayAgain(room?: RoomName): Promise<void> {
    const rooms = room === undefined ? [...this.#rooms.keys()] : [room];
    await Promise.all(
      rooms.flatMap((name) =>
        [...(this.#rooms.get(name)?.keys() ?? [])].map((user) => this.#sayAgain(name, user)),
      ),
    );
  }

  /** From now on nobody is told anything; the store itself takes back what this node said. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const room of this.#rooms.values()) for (const { grace } of room.values()) clearTimeout(grace);
    this.#rooms.clear();
  }

  async #begin(room: RoomName, present: Present): Promise<void> {
    const { user } = present;
    this.#owed.get(room)?.delete(user);
    const said = this.#store.touch(room, present, this.#context.rulesOf(room));
    const here: Here = { present, connections: 1, grace: undefined, said };
    let users = this.#rooms.get(room);
    if (users === undefined) this.#rooms.set(room, (users = new Map<string, Here>()));
    users.set(user, here);
    try {
      await said;
    } catch (error) {
      // It may have happened nevertheless.
      this.exit(room, user, { meant: true });
      throw error;
    }
  }

  /** @param always also what the store has been told already */
  #say(room: RoomName, here: Here, present: Present, always: boolean): Promise<void> {
    const before = here.present;
    if (!always && before.name === present.name && before.info === present.info) return here.said;
    here.present = present;
    here.said = this.#store.touch(room, present, this.#context.rulesOf(room));
    return here.said.catch((error: unknown) => {
      if (here.present === present) {
        here.present = before;
        here.said = Promise.resolve();
      }
      throw error;
    });
  }

  async #sayAgain(room: RoomName, user: string): Promise<void> {
    let rules = this.#context.rulesOf(room);
    for (;;) {
      const here = this.#rooms.get(room)?.get(user);
      if (here === undefined || this.#closed) return;
      try {
        await this.#store.touch(room, here.present, rules);
        return;
      } catch (error) {
        const { code, retryable } = error as HubError;
        // Both are here, and were told so: nobody is made invisible because the store has lost who came first.
        if (code === "name_taken") rules = { ...rules, uniqueNames: false };
        else if (!retryable) return this.#context.observer.failure("saying who is here", error);
        else await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  #end(room: RoomName, user: string): void {
    const users = this.#rooms.get(room);
    clearTimeout(users?.get(user)?.grace);
    users?.delete(user);
    if (users?.size === 0) this.#rooms.delete(room);
    if (!this.#closed) this.#remove(room, user);
  }

  #remove(room: RoomName, user: string): void {
    this.#store.remove(room, user).catch(() => {
      const users = this.#owed.get(room);
      if (users === undefined) this.#owed.set(room, new Set([user]));
      else users.add(user);
      this.#retry ??= setTimeout(() => this.#removeOwed(), RETRY_MS).unref();
    });
  }

  #removeOwed(): void {
    this.#retry = undefined;
    const owed = [...this.#owed];
    this.#owed.clear();
    for (const [room, users] of owed) {
      for (const user of users) {
        // Who has come back meanwhile is here.
        if (this.#rooms.get(room)?.has(user) !== true) this.#remove(room, user);
      }
    }
  }
}
