import { parseRoomName, type RoomName } from "../../shared/room-name.ts";
import { DEFAULT_LIMITS, type Limits } from "../../shared/limits.ts";
import type { Gap, JoinReply, MembersPush } from "../../shared/protocol.ts";
import type { RoomOptionsTable } from "../../shared/room-options.ts";
import { allowEveryone, type Authorize } from "../../server/hub/authorize.ts";
import { Hub } from "../../server/hub/hub.ts";
import type { PresenceStore } from "../../server/hub/presence-store.ts";
import type { Session } from "../../server/hub/session.ts";
import type { StoredMessage } from "../../server/hub/broker.ts";
import type { Push, Subscriber, Transport } from "../../server/hub/transport.ts";
import type { JoinOptions } from "../../server/hub/visit.ts";
import { LocalBroker } from "../../server/stores/local-broker.ts";
import { LocalMembers } from "../../server/stores/local-members.ts";
import { LocalPresence } from "../../server/stores/local-presence.ts";
import { MemoryStore } from "../../server/stores/memory/memory-store.ts";
import { FaultyBroker } from "./faulty-broker.ts";

export const ROOM: RoomName = parseRoomName("stream:test");

/** A reader without a wire: writes down what it gets, in order, and can be made slow. */
export class Reader implements Subscriber {
  readonly session: Session;
  /** Offsets, gaps and the end of a join, as they came. */
  readonly log: (number | Gap | { joined: JoinReply } | { members: MembersPush } | { ephemeral: string })[] =
    [];
  readonly #rooms: Map<RoomName, Set<Reader>>;
  drain: () => Promise<void> = () => Promise.resolve();

  constructor(id: string, rooms: Map<RoomName, Set<Reader>>, user?: string) {
    this.session = { id, ...(user === undefined ? {} : { from: { user, name: user } }) };
    this.#rooms = rooms;
  }

  /** The offsets that came, in the order in which they came. */
  get offsets(): number[] {
    return this.log.filter((entry): entry is number => typeof entry === "number");
  }

  /** The changes of members that it was told. */
  get news(): MembersPush[] {
    return this.log.flatMap((entry) =>
      typeof entry === "object" && "members" in entry ? [entry.members] : [],
    );
  }

  get gaps(): Gap[] {
    return this.log.filter((entry): entry is Gap => typeof entry === "object" && "reason" in entry);
  }

  send(push: Push): void {
    if (push.kind === "message") this.log.push(push.message.offset);
    else if (push.kind === "gap") this.log.push(push.gap);
    else if (push.kind === "members") this.log.push({ members: JSON.parse(push.packet)[1] as MembersPush });
    else if (push.message.except !== this.session.id) this.log.push({ ephemeral: push.message.packet });
  }

  replay(messages: readonly StoredMessage[]): void {
    for (const { offset } of messages) this.log.push(offset);
  }

  drained(): Promise<void> {
    return this.drain();
  }

  goLive(room: RoomName): void {
    this.#rooms.set(room, (this.#rooms.get(room) ?? new Set()).add(this));
  }

  leave(room: RoomName): void {
    this.#rooms.get(room)?.delete(this);
  }
}

export interface CoreOptions {
  readonly store?: MemoryStore;
  readonly limits?: Partial<Limits>;
  readonly rooms?: RoomOptionsTable;
  readonly authorize?: Authorize;
  readonly presence?: PresenceStore;
}

export interface Core {
  readonly hub: Hub;
  readonly broker: FaultyBroker;
  readonly failures: unknown[];
  /** How many messages the node fetched each time that it had missed some. */
  readonly backfilled: number[];
  /** Of a user, it can be a member. */
  reader(user?: string): Reader;
  join(reader: Reader, start?: JoinOptions, room?: RoomName): Promise<JoinReply>;
  /** Appends so many messages, one after the other. */
  publish(count: number, room?: RoomName): Promise<void>;
  close(): Promise<void>;
}

/** Starts one node's core over the memory store, with faults at hand. */
export async function startCore(options: CoreOptions = {}): Promise<Core> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const broker = new FaultyBroker(new LocalBroker(options.store ?? new MemoryStore()));
  const failures: unknown[] = [];
  const backfilled: number[] = [];
  const live = new Map<RoomName, Set<Reader>>();
  const observer = {
    gap() {},
    backfilled: (_: RoomName, messages: number) => void backfilled.push(messages),
    warning() {},
    slow() {},
    failure: (_: string, error: unknown) => void failures.push(error),
  };
  const rooms = options.rooms ?? { "stream:*": { messages: 10_000, ageMs: 3_600_000 } };
  const presence = options.presence ?? new LocalPresence(new LocalMembers());
  const authorize = options.authorize ?? allowEveryone;
  const hub = new Hub({ broker, presence, authorize, observer, limits, rooms });
  const transport: Transport = {
    deliver: (room, push) => live.get(room)?.forEach((reader) => reader.send(push)),
    close: () => Promise.resolve(),
  };
  hub.addTransport(transport);
  await hub.start();
  let readers = 0;
  let published = 0;
  return {
    hub,
    broker,
    failures,
    backfilled,
    reader: (user) => new Reader(`reader-${(readers += 1)}`, live, user),
    async join(reader, start = {}, room = ROOM) {
      let reply: JoinReply | undefined;
      await hub.join(reader, room, start, (given) => {
        reply = given;
        reader.log.push({ joined: given });
      });
      return reply!;
    },
    async publish(count, room = ROOM) {
      for (let i = 0; i < count; i += 1) {
        published += 1;
        await hub.publish({ id: "publisher" }, room, [{ event: "log", data: String(published) }]);
      }
    },
    close: () => hub.close({ code: "shutdown", reconnect: true, delayMs: 0 }),
  };
}

/** 1, 2, 3 … to `last`, or from `first`. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}
