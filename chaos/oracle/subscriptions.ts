import type { Position } from "../../shared/position.ts";
import type { Findings, Invariant } from "./findings.ts";
import type { Losses } from "./losses.ts";
import type { Subscribing } from "./observations.ts";
import type { RoomLogs } from "./room-logs.ts";

/** Messages that a subscriber was passed over. */
interface Hole {
  readonly client: string;
  readonly room: string;
  readonly epoch: string;
  readonly offset: number;
  readonly at: number;
}

/** One client in one room. */
interface Membership {
  phase: "out" | "joining" | "live" | "leaving";
  /** The last message that it has, or the place from which it goes on; undefined until the first one says so. */
  last: Position | undefined;
  /** When that was so. */
  at: number;
  since: Position | undefined;
  /** A gap was told in this join. */
  told: boolean;
  /** The gap that was told is explained. */
  explained: "no" | "trimmed" | "lost";
  /** Passed over since the last gap. */
  holes: Hole[];
}

/** Rooms that keep less than what is sent in a run, and the number of messages that they do keep. */
export type Bounds = ReadonlyMap<string, number>;

/** Follows every client through every room, message by message, and keeps of each room no more than where it stands. */
export class Subscriptions {
  readonly #findings: Findings;
  readonly #losses: Losses;
  readonly #logs: RoomLogs;
  readonly #bounds: Bounds;
  readonly #clients = new Map<string, Map<string, Membership>>();
  readonly #holes: Hole[] = [];
  readonly figures = {
    live: 0,
    replayed: 0,
    joins: 0,
    resumes: 0,
    recovered: 0,
    /** Not recovered, and rightly so. */
    afterLoss: 0,
    trimmed: 0,
    /** Told of a gap where there is none. */
    falseAlarms: 0,
    gaps: 0,
  };
  /** Where the false alarms were. */
  readonly alarms: string[] = [];

  constructor(findings: Findings, losses: Losses, logs: RoomLogs, bounds: Bounds) {
    this.#findings = findings;
    this.#losses = losses;
    this.#logs = logs;
    this.#bounds = bounds;
  }

  observe(event: Subscribing): void {
    if (event.kind === "lost") {
      for (const membership of this.#clients.get(event.client)?.values() ?? []) membership.phase = "out";
      return;
    }
    const room = event.kind === "gap" ? event.gap.room : event.room;
    const membership = this.#membership(event.client, room);
    if (event.kind === "message") this.#message(event, membership);
    else if (event.kind === "gap") this.#gap(event, membership);
    else if (event.kind === "join") this.#join(event, membership);
    else if (event.kind === "joined") this.#joined(event, membership);
    else if (event.kind === "leave") membership.phase = "leaving";
    else membership.phase = "out";
  }

  /** Where a client stands in a room. */
  standing(client: string, room: string): { readonly phase: string; readonly last: Position | undefined } {
    return this.#clients.get(client)?.get(room) ?? { phase: "out", last: undefined };
  }

  /** @param ackAt the acknowledged message at a place */
  finish(ackAt: (room: string, epoch: string, offset: number) => string | undefined): void {
    const open = [...this.#clients.values()].flatMap((rooms) =>
      [...rooms.values()].flatMap(({ holes }) => holes),
    );
    for (const { client, room, epoch, offset, at } of [...this.#holes, ...open]) {
      const id = ackAt(room, epoch, offset);
      if (id === undefined) continue;
      this.#find("I3", room, at, `${client} never got ${epoch}.${offset}.${id}, which was acknowledged`);
    }
  }

  #membership(client: string, room: string): Membership {
    const rooms = this.#clients.get(client) ?? new Map<string, Membership>();
    this.#clients.set(client, rooms);
    let membership = rooms.get(room);
    if (membership === undefined) {
      membership = {
        phase: "out",
        last: undefined,
        at: 0,
        since: undefined,
        told: false,
        explained: "no",
        holes: [],
      };
      rooms.set(room, membership);
    }
    return membership;
  }

  #join({ since, at }: Subscribing & { kind: "join" }, membership: Membership): void {
    this.#keepHoles(membership);
    // What the client has of the room is as old as its last message, not as this join.
    const known = membership.last;
    if (since === undefined || known?.offset !== since.offset || known.epoch !== since.epoch)
      membership.at = at;
    Object.assign(membership, { phase: "joining", last: since, since, told: false, explained: "no" });
    this.figures.joins += 1;
  }

  #message(event: Subscribing & { kind: "message" }, membership: Membership): void {
    const { client, room, epoch, offset, id, at } = event;
    const { last } = membership;
    const place = `${epoch}.${offset}.${id}`;
    if (membership.phase === "out")
      return this.#find("M1", room, at, `${client} got ${place} and was not in the room`);
    if (membership.phase === "joining") this.figures.replayed += 1;
    else this.figures.live += 1;
    if (last !== undefined && last.epoch !== epoch) {
      this.#find("I8", room, at, `${client} had ${textOf(last)}, got ${place} and was told nothing`);
    } else if (last !== undefined && offset > last.offset + 1) {
      this.#find(
        "I5",
        room,
        at,
        `${client} had ${textOf(last)}; expected offset ${last.offset + 1}, got ${place}`,
      );
      this.#passOver(event, last.offset + 1, offset - 1, membership);
    } else if (last !== undefined && offset <= last.offset) {
      return this.#behind(event, last, membership);
    } else if (last !== undefined) this.#checkCrossing(event, membership, last);
    membership.last = { epoch, offset, id };
    membership.at = at;
  }

  #behind(event: Subscribing & { kind: "message" }, last: Position, membership: Membership): void {
    const { client, room, epoch, offset, id, at } = event;
    const place = `${epoch}.${offset}.${id}`;
    const hole = membership.holes.findIndex((one) => one.offset === offset && one.epoch === epoch);
    if (hole >= 0) {
      membership.holes.splice(hole, 1);
      this.#find("I5", room, at, `${client} had ${textOf(last)} and then got ${place}`);
    } else if (this.#losses.between(membership.at, at)) {
      this.#find(
        "I8",
        room,
        at,
        `${client} had ${textOf(last)}, got ${place} after a loss and was told nothing`,
      );
    } else this.#find("I4", room, at, `${client} had ${textOf(last)} and got ${place} again`);
  }

  #gap({ client, gap, at }: Subscribing & { kind: "gap" }, membership: Membership): void {
    const { room, epoch, from, to, reason } = gap;
    if (membership.phase === "out")
      return this.#find("M1", room, at, `${client} was told of a gap and was not in the room`);
    this.figures.gaps += 1;
    this.#keepHoles(membership);
    if (this.#losses.between(membership.at, at)) membership.explained = "lost";
    // A client that was told before may be told again: the id in its position is no message's.
    else if (membership.since?.id === "gap") membership.explained = "lost";
    // If the client's own last message is the newest one that is gone, nothing proves that none is missing.
    else if (reason === "trimmed" && this.#bounds.has(room) && from <= to + 1)
      membership.explained = "trimmed";
    else membership.explained = "no";
    if (membership.phase === "live" && membership.explained === "no")
      this.#alarm(`${client} in ${room}: ${from} to ${to} of ${epoch}, ${reason}`);
    membership.told = true;
    membership.last = { epoch, offset: to, id: "" };
    membership.at = at;
  }

  #joined({ client, room, reply, at }: Subscribing & { kind: "joined" }, membership: Membership): void {
    if (membership.phase !== "joining") return;
    membership.phase = "live";
    const { position, recovered } = reply;
    const { since, told, last } = membership;
    const find = (text: string): void => this.#find("I8", room, at, `${client}: ${text}`);
    if (since !== undefined) {
      if (recovered === true && told) find("the reply says recovered, and a gap was told");
      if (recovered === true && position.epoch !== since.epoch)
        find(`resumed from ${textOf(since)}, recovered into ${textOf(position)}`);
      if (recovered !== true && !told) {
        if (this.#bounds.has(room) && isEmptyGap(since, reply)) membership.explained = "trimmed";
        else find(`resumed from ${textOf(since)}, not recovered, and no gap was told`);
      }
      this.#countResume(recovered === true, `${client} in ${room}`, membership, reply);
    }
    if (last !== undefined && (position.epoch !== last.epoch || position.offset < last.offset)) {
      this.#find("I5", room, at, `${client} had ${textOf(last)}; the reply says ${textOf(position)}`);
    } else if (last !== undefined && position.offset > last.offset) {
      this.#find("I5", room, at, `${client} had ${textOf(last)}; the reply says ${textOf(position)}`);
      this.#passOver(
        { client, room, epoch: position.epoch, at },
        last.offset + 1,
        position.offset,
        membership,
      );
    } else if (
      last !== undefined &&
      last.id !== "" &&
      last.offset > 0 &&
      last.id !== position.id &&
      last.id !== "gap"
    ) {
      this.#find("I8", room, at, `${client} had ${textOf(last)}; the reply says ${textOf(position)}`);
    }
    if (since !== undefined && recovered === true && membership.holes.length > 0)
      find(`resumed from ${textOf(since)}, recovered, and ${membership.holes[0]!.offset} never came`);
    this.#logs.see({ room, ...position, at, who: `the reply to ${client}` });
    membership.last = position;
    membership.at = at;
  }

  #countResume(
    recovered: boolean,
    who: string,
    { explained, since }: Membership,
    { reason, firstOffset }: Answer,
  ): void {
    this.figures.resumes += 1;
    if (recovered) this.figures.recovered += 1;
    else if (explained === "lost") this.figures.afterLoss += 1;
    else if (explained === "trimmed" && (firstOffset ?? 0) > since!.offset) this.figures.trimmed += 1;
    else this.#alarm(`${who}: resumed from ${textOf(since!)}, ${reason ?? "no reason"}`);
  }

  #alarm(text: string): void {
    this.figures.falseAlarms += 1;
    if (this.alarms.length < 20) this.alarms.push(text);
  }

  /** It went on as if nothing had happened. */
  #checkCrossing(
    { client, room, at, offset, id }: Subscribing & { kind: "message" },
    membership: Membership,
    last: Position,
  ): void {
    if (last.id === "" || !this.#losses.crossed(membership.at, at)) return;
    this.#logs.cross({ room, ...last, at, who: client, next: { offset, id } });
  }

  #passOver(
    { client, room, epoch, at }: { client: string; room: string; epoch: string; at: number },
    from: number,
    to: number,
    membership: Membership,
  ): void {
    // Of a hole of thousands, its first messages say enough.
    for (let offset = from; offset <= Math.min(to, from + 99); offset += 1)
      membership.holes.push({ client, room, epoch, offset, at });
  }

  #keepHoles(membership: Membership): void {
    this.#holes.push(...membership.holes);
    membership.holes = [];
  }

  #find(invariant: Invariant, room: string, at: number, text: string): void {
    this.#findings.add(invariant, room, at, text);
  }
}

function textOf({ epoch, offset, id }: Position): string {
  return `${epoch}.${offset}.${id}`;
}

type Answer = (Subscribing & { kind: "joined" })["reply"];

/** The client's own last message is the newest that is gone: none is missing, though nothing proves it, and the SDK says nothing. */
function isEmptyGap(since: Position, { position, reason, firstOffset }: Answer): boolean {
  return reason === "trimmed" && position.epoch === since.epoch && firstOffset === since.offset + 1;
}
