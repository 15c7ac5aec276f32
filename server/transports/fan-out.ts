import type { RoomName } from "../../shared/room-name.ts";
import type { EphemeralMessage, StoredMessage } from "../hub/broker.ts";
import type { Push } from "../hub/transport.ts";
import type { Turns } from "./turns.ts";

/** One connection's way out, as the fan-out sees it. No method throws. */
export interface FanOutlet<Frame, Joined> {
  /** Calls `before` whenever anything that is not of the fan-out is about to leave on this connection, or it closes. */
  intercept(before: () => void): void;
  send(push: Push): void;
  write(frame: Frame): void;
  /** Sends frames at once; `joined` is made of just these. */
  writeJoined(frames: readonly Frame[], joined: Joined): void;
}

/** How a wire writes messages: each once, whatever the number of those who get it. */
export interface Framing<Frame, Joined> {
  frame(message: StoredMessage | EphemeralMessage): Frame;
  join(frames: readonly Frame[]): Joined;
}

interface Member<Frame, Joined> {
  readonly room: Room<Frame, Joined>;
  readonly outlet: FanOutlet<Frame, Joined>;
  /** The turn of its room that `has` is about. */
  turn: number;
  /** How many of the frames gathered in that turn it has already. */
  has: number;
}

interface Room<Frame, Joined> {
  readonly members: Map<FanOutlet<Frame, Joined>, Member<Frame, Joined>>;
  /** Counts how often what was gathered has left. */
  turn: number;
  gathered: Frame[];
}

/**
 * Delivers what a room gets to all connections of one wire that are live in it.
 *
 * What a room gets in one turn is joined and written once to each connection: a system call for each message and
 * connection is what fan-out costs. To each connection everything goes in the order in which it was issued: before
 * anything else leaves on it, it gets what its rooms have gathered so far.
 */
export class FanOut<Frame, Joined> {
  readonly #rooms = new Map<RoomName, Room<Frame, Joined>>();
  /** Where each connection is live. */
  readonly #memberships = new Map<FanOutlet<Frame, Joined>, Member<Frame, Joined>[]>();
  /** The rooms that have gathered something. */
  readonly #due = new Set<Room<Frame, Joined>>();
  readonly #framing: Framing<Frame, Joined>;
  readonly #turns: Turns | undefined;
  /** What comes while the gathered leaves, which must not overtake it. */
  #late: (readonly [RoomName, Push])[] | undefined;

  /** @param turns undefined if nothing is to gather: each message is sent to each connection by itself */
  constructor(framing: Framing<Frame, Joined>, turns: Turns | undefined) {
    this.#framing = framing;
    this.#turns = turns;
  }

  /** Has to be called once for each connection, before it is live in any room. */
  connect(outlet: FanOutlet<Frame, Joined>): void {
    if (this.#turns !== undefined) outlet.intercept(() => this.#catchUp(outlet));
  }

  add(name: RoomName, outlet: FanOutlet<Frame, Joined>): void {
    let room = this.#rooms.get(name);
    if (room === undefined) this.#rooms.set(name, (room = { members: new Map(), turn: 0, gathered: [] }));
    // It has replayed all that there is, also what the others are about to get.
    const member = { room, outlet, turn: room.turn, has: room.gathered.length };
    room.members.set(outlet, member);
    const others = this.#memberships.get(outlet);
    if (others === undefined) this.#memberships.set(outlet, [member]);
    else others.push(member);
  }

  remove(name: RoomName, outlet: FanOutlet<Frame, Joined>): void {
    const room = this.#rooms.get(name);
    const member = room?.members.get(outlet);
    if (room === undefined || member === undefined) return;
    this.#give(member);
    room.members.delete(outlet);
    if (room.members.size === 0) this.#rooms.delete(name);
    const others = this.#memberships.get(outlet)!;
    others.splice(others.indexOf(member), 1);
    if (others.length === 0) this.#memberships.delete(outlet);
  }

  deliver(name: RoomName, push: Push): void {
    if (this.#late !== undefined) {
      this.#late.push([name, push]);
      return;
    }
    const room = this.#rooms.get(name);
    if (room === undefined) return;
    const isForAll =
      push.kind === "message" || (push.kind === "ephemeral" && push.message.except === undefined);
    if (!isForAll) return room.members.forEach(({ outlet }) => outlet.send(push));
    const frame = this.#framing.frame(push.message);
    if (this.#turns === undefined) return room.members.forEach(({ outlet }) => outlet.write(frame));
    room.gathered.push(frame);
    this.#due.add(room);
    this.#turns.request(this.#leave);
  }

  readonly #leave = (): void => {
    const late: (readonly [RoomName, Push])[] = [];
    this.#late = late;
    for (const room of this.#due) {
      const { gathered } = room;
      const whole = this.#framing.join(gathered);
      for (const member of room.members.values()) {
        // Noted first: a frame that goes the ordinary way asks for what was before it.
        const has = member.turn === room.turn ? member.has : 0;
        member.turn = room.turn;
        member.has = gathered.length;
        if (has === 0) member.outlet.writeJoined(gathered, whole);
        else if (has < gathered.length) this.#write(member.outlet, gathered.slice(has));
      }
      room.turn += 1;
      room.gathered = [];
    }
    this.#due.clear();
    this.#late = undefined;
    late.forEach(([name, push]) => this.deliver(name, push));
  };

  #catchUp(outlet: FanOutlet<Frame, Joined>): void {
    if (this.#due.size > 0) this.#memberships.get(outlet)?.forEach((member) => this.#give(member));
  }

  /** Gives a connection what its room has gathered so far. */
  #give(member: Member<Frame, Joined>): void {
    const { gathered, turn } = member.room;
    const has = member.turn === turn ? member.has : 0;
    if (has === gathered.length) return;
    member.turn = turn;
    member.has = gathered.length;
    this.#write(member.outlet, has === 0 ? gathered : gathered.slice(has));
  }

  #write(outlet: FanOutlet<Frame, Joined>, frames: readonly Frame[]): void {
    outlet.writeJoined(frames, this.#framing.join(frames));
  }
}
