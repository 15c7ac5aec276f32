import type { RoomName } from "../../../shared/room-name.ts";
import type { Push } from "../../hub/transport.ts";
import type { Outlet } from "./outlet.ts";
import { packetOf, type Packet } from "./packet.ts";

/**
 * When what has gathered leaves: `tick` as soon as the code that runs now has ended, for a store that brings many messages
 * at once; `immediate` when all that has arrived by now has been looked at, for messages that come in requests of their
 * own; `never`: nothing gathers, each message is sent to each connection by itself.
 */
export type Gathering = "tick" | "immediate" | "never";

interface Member {
  readonly outlet: Outlet;
  /** How many of the room's gathered packets it has already. */
  has: number;
}

interface Room {
  readonly members: Map<Outlet, Member>;
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
  /** Those that have gathered something. */
  readonly #due = new Set<Room>();
  readonly #gathering: Gathering;
  /** What comes while the gathered leaves, which must not overtake it. */
  #late: (readonly [RoomName, Push])[] | undefined;

  constructor(gathering: Gathering) {
    this.#gathering = gathering;
  }

  /** Has to be called once for each connection, before it is live in any room. */
  connect(outlet: Outlet): void {
    if (this.#gathering !== "never") outlet.intercept(() => this.#catchUp(outlet));
  }

  add(name: RoomName, outlet: Outlet): void {
    let room = this.#rooms.get(name);
    if (room === undefined) this.#rooms.set(name, (room = { members: new Map(), gathered: [] }));
    // It has replayed all that there is, also what the others are about to get.
    room.members.set(outlet, { outlet, has: room.gathered.length });
  }

  remove(name: RoomName, outlet: Outlet): void {
    const room = this.#rooms.get(name);
    if (room === undefined) return;
    const member = room.members.get(outlet);
    if (member !== undefined) give(room, member);
    if (room.members.delete(outlet) && room.members.size === 0) this.#rooms.delete(name);
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
    const packet = packetOf(push.message.packet);
    if (this.#gathering === "never") return room.members.forEach(({ outlet }) => outlet.write(packet));
    room.gathered.push(packet);
    if (this.#due.size === 0) this.#schedule();
    this.#due.add(room);
  }

  #schedule(): void {
    if (this.#gathering === "tick") process.nextTick(() => this.#flush());
    else setImmediate(() => this.#flush());
  }

  #flush(): void {
    const late: (readonly [RoomName, Push])[] = [];
    this.#late = late;
    for (const room of this.#due) {
      const { gathered } = room;
      const whole = joined(gathered);
      for (const member of room.members.values()) {
        // Noted first: a packet that goes the ordinary way asks for what was before it.
        const { has } = member;
        member.has = gathered.length;
        if (has === 0) member.outlet.writeJoined(gathered, whole);
        else if (has < gathered.length)
          member.outlet.writeJoined(gathered.slice(has), joined(gathered.slice(has)));
      }
      for (const member of room.members.values()) member.has = 0;
      room.gathered = [];
    }
    this.#due.clear();
    this.#late = undefined;
    late.forEach(([name, push]) => this.deliver(name, push));
  }

  #catchUp(outlet: Outlet): void {
    for (const room of this.#due) {
      const member = room.members.get(outlet);
      if (member !== undefined) give(room, member);
    }
  }
}

/** Gives a connection what its room has gathered so far. */
function give({ gathered }: Room, member: Member): void {
  if (member.has === gathered.length) return;
  const packets = gathered.slice(member.has);
  member.has = gathered.length;
  member.outlet.writeJoined(packets, joined(packets));
}

function joined(packets: readonly Packet[]): Buffer {
  return packets.length === 1 ? packets[0]!.frame : Buffer.concat(packets.map(({ frame }) => frame));
}
