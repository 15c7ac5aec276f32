import { HubError } from "../../shared/errors.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Subscription } from "./subscription.ts";

interface Entry {
  /** Undefined until what ran before in this room is over. */
  subscription: Subscription | undefined;
  before: Entry | undefined;
  ended: HubError | undefined;
  /** Resolves, whatever happened, when the join is over. */
  settled: Promise<void>;
  /** Gives back what the subscription holds; runs once. */
  release: () => void;
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
   * Runs a join after all that runs in the room already; a subscription that is there is left first.
   *
   * @param hold makes the subscription and what gives back what it holds
   * @throws HubError `too_many_rooms`, or why the join ended
   */
  async join(
    room: RoomName,
    hold: () => { subscription: Subscription; release: () => void },
    run: (subscription: Subscription) => Promise<void>,
  ): Promise<void> {
    const before = this.#entries.get(room);
    if (before === undefined && this.#entries.size >= this.#limit) {
      throw new HubError("too_many_rooms", `a connection may be in ${this.#limit} rooms: leave one first`);
    }
    const entry: Entry = {
      subscription: undefined,
      before,
      ended: undefined,
      settled: Promise.resolve(),
      release: () => undefined,
    };
    this.#entries.set(room, entry);
    const joined = this.#run(entry, hold, run);
    entry.settled = joined.catch(() => this.#remove(room, entry));
    return joined;
  }

  /** Leaves a room, joined or joining; a room that one is not in is left already. */
  async leave(room: RoomName, reason: HubError): Promise<void> {
    const entry = this.#entries.get(room);
    if (entry === undefined) return;
    end(entry, reason);
    await entry.settled;
    this.#remove(room, entry);
  }

  /** Leaves all rooms at once, in this turn: a message that comes next goes to nobody. */
  leaveAll(reason: HubError): void {
    for (const [room, entry] of this.#entries) {
      end(entry, reason);
      void entry.settled.then(() => this.#remove(room, entry));
    }
  }

  async #run(
    entry: Entry,
    hold: () => { subscription: Subscription; release: () => void },
    run: (subscription: Subscription) => Promise<void>,
  ): Promise<void> {
    const { before } = entry;
    await before?.settled;
    try {
      if (entry.ended !== undefined) throw entry.ended;
      const { subscription, release } = hold();
      entry.subscription = subscription;
      entry.release = once(release);
    } finally {
      // Only now, so that a room which is joined afresh stays open in between.
      if (before !== undefined)
        end(before, new HubError("bad_request", "another join took this one's place"));
      before?.release();
      entry.before = undefined;
    }
    await run(entry.subscription);
  }

  #remove(room: RoomName, entry: Entry): void {
    entry.release();
    if (this.#entries.get(room) === entry) this.#entries.delete(room);
  }
}

function end(entry: Entry, reason: HubError): void {
  entry.ended ??= reason;
  entry.subscription?.end(entry.ended);
  if (entry.before !== undefined) end(entry.before, reason);
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
