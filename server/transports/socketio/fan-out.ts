import type { RoomName } from "../../../shared/room-name.ts";
import type { Push } from "../../hub/transport.ts";
import type { Outlet } from "./outlet.ts";
import { framesOf, Packet } from "./packet.ts";

/**
 * When what has gathered leaves: `tick` as soon as the code that runs now has ended, for a store that brings many messages
 * at once; `immediate` when all that has arrived by now has been looked at, for messages that come in requests of their
 * own; `never`: nothing gathers, each message is sent to each connection by itself.
 */
export type Gathering = "tick" | "immediate" | "never";

/**
 * What is gathered leaves no sooner after what was before it than this part of the time that writing that took. Otherwise
 * a busy room's publishers split for good into many whose messages leave together and one whose message is always alone,
 * and that one costs as many system calls as all the others. A message that comes later than that waits for nothing.
 */
const REST = 1 / 2;
const LONGEST_REST_MS = 20;

interface Member {
  readonly room: Room;
  readonly outlet: Outlet;
  /** The turn of its room that `has` is about. */
  turn: number;
  /** How many of the packets gathered in that turn it has already. */
  has: number;
}

interface Room {
  readonly members: Map<Outlet, Member>;
  /** Counts how often what was gathered has left. */
  turn: number;
  gathered: Packet[];
}

/**
 * Delivers what a room gets to all connections that are live in it.
 *
 * What a room gets in one turn is joined and written once to each connection: a system call for each message and
 * connection is what fan-out costs. To each connection everything goes in the order in which it was issued: before
 * anything else leaves on it, it gets what its rooms have gathered so far.
 */
export class FanOut {
  readonly #rooms = new Map<RoomName, Room>();
  /** Where each connection is live. */
  readonly #memberships = new Map<Outlet, Member[]>();
  /** The rooms that have gathered something. */
  readonly #due = new Set<Room>();
  readonly #gathering: Gathering;
  readonly #now: () => number;
  /** The time until which nothing gathered leaves. */
  #restsUntil = 0;
  /** What comes while the gathered leaves, which must not overtake it. */
  #late: (readonly [RoomName, Push])[] | undefined;

  /** @param now gives milliseconds of a clock that never jumps */
  constructor(gathering: Gathering, now: () => number = () => performance.now()) {
    this.#gathering = gathering;
    this.#now = now;
  }

  /** Has to be called once for each connection, before it is live in any room. */
  connect(outlet: Outlet): void {
    if (this.#gathering !== "never") outlet.intercept(() => this.#catchUp(outlet));
  }

  add(name: RoomName, outlet: Outlet): void {
    let room = this.#rooms.get(name);
    if (room === undefined) this.#rooms.set(name, (room = { members: new Map(), turn: 0, gathered: [] }));
    // It has replayed all that there is, also what the others are about to get.
    const member = { room, outlet, turn: room.turn, has: room.gathered.length };
    room.members.set(outlet, member);
    const others = this.#memberships.get(outlet);
    if (others === undefined) this.#memberships.set(outlet, [member]);
    else others.push(member);
  }

  remove(name: RoomName, outlet: Outlet): void {
    const room = this.#rooms.get(name);
    const member = room?.members.get(outlet);
    if (room === undefined || member === undefined) return;
    give(member);
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
    const packet = new Packet(push.message.packet);
    if (this.#gathering === "never") return room.members.forEach(({ outlet }) => outlet.write(packet));
    room.gathered.push(packet);
    if (this.#due.size === 0) this.#schedule();
    this.#due.add(room);
  }

  #schedule(): void {
    const restMs = this.#restsUntil - this.#now();
    // Timers know no parts of a millisecond: few connections are never worth a wait.
    if (restMs >= 1) setTimeout(() => this.#flush(), restMs);
    else if (this.#gathering === "tick") process.nextTick(() => this.#flush());
    else setImmediate(() => this.#flush());
  }

  #flush(): void {
    const late: (readonly [RoomName, Push])[] = [];
    this.#late = late;
    const began = this.#now();
    for (const room of this.#due) {
      const { gathered } = room;
      const whole = framesOf(gathered);
      for (const member of room.members.values()) {
        // Noted first: a packet that goes the ordinary way asks for what was before it.
        const has = member.turn === room.turn ? member.has : 0;
        member.turn = room.turn;
        member.has = gathered.length;
        if (has === 0) member.outlet.writeJoined(gathered, whole);
        else if (has < gathered.length)
          member.outlet.writeJoined(gathered.slice(has), framesOf(gathered.slice(has)));
      }
      room.turn += 1;
      room.gathered = [];
    }
    this.#due.clear();
    const ended = this.#now();
    this.#restsUntil = ended + Math.min((ended - began) * REST, LONGEST_REST_MS);
    this.#late = undefined;
    late.forEach(([name, push]) => this.deliver(name, push));
  }

  #catchUp(outlet: Outlet): void {
    if (this.#due.size > 0) this.#memberships.get(outlet)?.forEach(give);
  }
}

/** Gives a connection what its room has gathered so far. */
function give(member: Member): void {
  const { gathered, turn } = member.room;
  const has = member.turn === turn ? member.has : 0;
  if (has === gathered.length) return;
  const packets = has === 0 ? gathered : gathered.slice(has);
  member.turn = turn;
  member.has = gathered.length;
  member.outlet.writeJoined(packets, framesOf(packets));
}
