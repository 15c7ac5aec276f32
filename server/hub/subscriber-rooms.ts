import { HubError } from "../../shared/errors.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Visit } from "./visit.ts";

interface Entry {
  /** Undefined until what ran before in this room is over. */
  visit: Visit | undefined;
  before: Entry | undefined;
  ended: HubError | undefined;
  /** The join, which may reject; undefined when it is over. */
  joining: Promise<void> | undefined;
  /** The subscriber has left, or was refused; otherwise its connection has ended. */
  meant: boolean;
  /** Its visit has been given back, or there will be none. */
  released: boolean;
}

/** The rooms of one subscriber. In each room joins and leaves run one after the other. */
export class SubscriberRooms {
  readonly #entries = new Map<RoomName, Entry>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * Runs a join after all that runs in the room already; a visit that is there is ended first.
   *
   * @param visit makes the visit, which is released once
   * @throws HubError `too_many_rooms`, or why the join ended
   */
  join(room: RoomName, visit: () => Visit, run: (visit: Visit) => Promise<void>): Promise<void> {
    const before = this.#entries.get(room);
    if (before === undefined && this.#entries.size >= this.#limit) {
      throw new HubError("too_many_rooms", `a connection may be in ${this.#limit} rooms: leave one first`);
    }
    const entry: Entry = {
      visit: undefined,
      before,
      ended: undefined,
      joining: undefined,
      meant: false,
      released: false,
    };
    this.#entries.set(room, entry);
    entry.joining = this.#run(room, entry, visit, run);
    return entry.joining;
  }

  /** Leaves a room, joined or joining; a room that one is not in is left already. */
  async leave(room: RoomName, reason: HubError): Promise<void> {
    const entry = this.#entries.get(room);
    if (entry === undefined) return;
    entry.meant = true;
    end(entry, reason);
    await settled(entry);
    this.#remove(room, entry);
  }

  /** Leaves all rooms at once, in this turn: a message that comes next goes to nobody. */
  leaveAll(reason: HubError): void {
    for (const [room, entry] of this.#entries) {
      end(entry, reason);
      if (entry.joining === undefined) this.#remove(room, entry);
      else void settled(entry).then(() => this.#remove(room, entry));
    }
  }

  async #run(
    room: RoomName,
    entry: Entry,
    visit: () => Visit,
    run: (visit: Visit) => Promise<void>,
  ): Promise<void> {
    try {
      if (entry.before !== undefined) await settled(entry.before);
      await run(this.#begin(entry, visit));
    } catch (error) {
      entry.meant ||= entry.ended === undefined;
      this.#remove(room, entry);
      throw error;
    } finally {
      entry.joining = undefined;
    }
  }

  #begin(entry: Entry, visit: () => Visit): Visit {
    const { before } = entry;
    try {
      if (entry.ended !== undefined) throw entry.ended;
      return (entry.visit = visit());
    } finally {
      // Only now, so that a room which is joined afresh stays open in between.
      if (before !== undefined) {
        end(before, new HubError("bad_request", "another join took this one's place"));
        release(before);
      }
      entry.before = undefined;
    }
  }

  #remove(room: RoomName, entry: Entry): void {
    release(entry);
    if (this.#entries.get(room) === entry) this.#entries.delete(room);
  }
}

/** Resolves, whatever happened, when the join is over. */
async function settled({ joining }: Entry): Promise<void> {
  await joining?.catch(() => undefined);
}

function end(entry: Entry, reason: HubError): void {
  entry.ended ??= reason;
  entry.visit?.end(entry.ended);
  if (entry.before !== undefined) end(entry.before, reason);
}

function release(entry: Entry): void {
  if (entry.released) return;
  entry.released = true;
  entry.visit?.release(entry.meant);
}
