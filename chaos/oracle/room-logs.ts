import type { Findings, Invariant } from "./findings.ts";
import type { Losses } from "./losses.ts";
import type { ReadBack } from "./observations.ts";

/** Who stood at a place, and since when that is known; more than one only if data was lost in between. */
interface Occupant {
  readonly id: string;
  readonly at: number;
}

interface Epoch {
  readonly since: number;
  /** By offset. */
  readonly places: Occupant[][];
}

/** Where a message was seen. */
interface Known {
  readonly hash: number | undefined;
  readonly places: { readonly epoch: string; readonly offset: number; readonly at: number }[];
}

/** A place as someone tells of it. */
export interface Sighting {
  readonly room: string;
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
  /** Undefined where only the place is told. */
  readonly hash?: number;
  readonly at: number;
  readonly who: string;
}

/** A reader went on from one place to the next, untold, although the store had lost its newest messages meanwhile. */
export interface Crossing extends Omit<Sighting, "hash"> {
  readonly next: { readonly offset: number; readonly id: string };
}

/** The logs as everyone together has seen them: who stands where, under which identity. */
export class RoomLogs {
  readonly #findings: Findings;
  readonly #losses: Losses;
  readonly #rooms = new Map<string, Map<string, Epoch>>();
  readonly #known = new Map<string, Map<string, Known>>();
  readonly #crossings: Crossing[] = [];

  constructor(findings: Findings, losses: Losses) {
    this.#findings = findings;
    this.#losses = losses;
  }

  /** Compares a place with what is known of it, and of the message. */
  see(sighting: Sighting): void {
    const { room, epoch, offset, id, at, who } = sighting;
    const { places } = this.#epoch(sighting);
    if (offset === 0) return;
    const occupants = (places[offset] ??= []);
    if (!occupants.some((occupant) => occupant.id === id)) {
      const first = occupants[0];
      occupants.push({ id, at });
      if (first !== undefined && occupants.length > 1 + this.#losses.until(at))
        this.#find("I1", room, at, `${epoch}.${offset} is ${first.id}; ${who} has ${id} there`);
    }
    this.#compare(sighting);
  }

  /** To be judged at the end, when it is known what the log became. */
  cross(crossing: Crossing): void {
    this.#crossings.push(crossing);
  }

  /** Whether a place is known to be taken. */
  has(room: string, epoch: string, offset: number): boolean {
    return this.#rooms.get(room)?.get(epoch)?.places[offset] !== undefined;
  }

  /** Compares one node's whole log with what is known, and with itself. */
  readBack({ node, room, position, firstOffset, messages }: ReadBack, at: number): void {
    const who = `the history of ${node}`;
    const wrong = (text: string): void => this.#find("I12", room, at, `${who}: ${text}`);
    let next = firstOffset;
    for (const { epoch, offset, id, hash } of messages) {
      if (epoch !== position.epoch)
        wrong(`offset ${offset} has the epoch ${epoch}, the log ${position.epoch}`);
      if (offset !== next) wrong(`expected offset ${next}, found ${offset}`);
      next = offset + 1;
      this.see({ room, epoch, offset, id, hash, at, who });
    }
    if (next !== position.offset + 1) wrong(`the log ends at ${next - 1}, its head is ${position.offset}`);
    this.see({ room, ...position, at, who });
  }

  finish(): void {
    for (const { room, epoch, offset, id, at, who, next } of this.#crossings) {
      const places = this.#rooms.get(room)?.get(epoch)?.places ?? [];
      // A later loss says nothing about what was right at the time.
      const replaced = (place: number, by: string): Occupant | undefined => {
        const occupants = places[place] ?? [];
        const successor = occupants[occupants.findIndex((occupant) => occupant.id === by) + 1];
        return successor !== undefined && this.#losses.until(successor.at) === this.#losses.until(at)
          ? successor
          : undefined;
      };
      const successor = replaced(offset, id);
      // Who is still in the log of before may yet be told.
      if (successor === undefined || replaced(next.offset, next.id) !== undefined) continue;
      const text = `${who} went on after ${epoch}.${offset}.${id} and was told nothing; the log has ${successor.id} there`;
      this.#find("I8", room, at, text);
    }
  }

  #epoch({ room, epoch, at, who }: Sighting): Epoch {
    const epochs = this.#rooms.get(room) ?? new Map<string, Epoch>();
    this.#rooms.set(room, epochs);
    let found = epochs.get(epoch);
    if (found === undefined) {
      found = { since: at, places: [] };
      if (epochs.size > this.#losses.until(at))
        this.#find("I13", room, at, `${who} has the epoch ${epoch}; known: ${[...epochs.keys()].join(", ")}`);
      epochs.set(epoch, found);
    }
    return found;
  }

  #compare({ room, epoch, offset, id, hash, at, who }: Sighting): void {
    const known = this.#known.get(room) ?? new Map<string, Known>();
    this.#known.set(room, known);
    const message = known.get(id);
    if (message === undefined) {
      known.set(id, { hash, places: [{ epoch, offset, at }] });
      return;
    }
    if (hash !== undefined && message.hash === undefined) known.set(id, { ...message, hash });
    else if (hash !== undefined && message.hash !== hash)
      this.#find("I1", room, at, `${id} has another content for ${who} than for others`);
    const before = message.places.find((place) => place.epoch === epoch);
    if (before === undefined) message.places.push({ epoch, offset, at });
    else if (
      before.offset !== offset &&
      !message.places.some((place) => place.epoch === epoch && place.offset === offset)
    ) {
      message.places.push({ epoch, offset, at });
      // What the store lost may be sent again, and then has another place.
      if (!this.#losses.between(before.at, at))
        this.#find("I7", room, at, `${id} is at ${epoch}.${before.offset}; ${who} has it at ${offset}`);
    }
  }

  #find(invariant: Invariant, room: string, at: number, text: string): void {
    this.#findings.add(invariant, room, at, text);
  }
}
