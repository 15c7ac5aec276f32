import { HubError, toHubError } from "../../shared/errors.ts";
import type { Limits } from "../../shared/limits.ts";
import { randomId } from "../../shared/message-id.ts";
import { packetHead } from "../../shared/packet.ts";
import { formatCursor, type Position } from "../../shared/position.ts";
import type { Closing, HistoryReply, JoinReply, MembersReply, PublishReply } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import { optionsOf, type RoomOptions, type RoomOptionsTable } from "../../shared/room-options.ts";
import { demand, demandJoin, type Authorize, type Capability } from "./authorize.ts";
import type { Appended, Broker, Draft, RoomsPage, RoomsQuery } from "./broker.ts";
import { readHistory, type HistoryRange } from "./history.ts";
import { HeadWatch } from "./head-watch.ts";
import { HeldRooms } from "./held-rooms.ts";
import { LocalRoom } from "./local-room.ts";
import { MembersDesk, type MembersQuery } from "./members-desk.ts";
import type { Observer } from "./observer.ts";
import type { PresenceStore, RoomCounts } from "./presence-store.ts";
import type { Session } from "./session.ts";
import { SubscriberRooms } from "./subscriber-rooms.ts";
import type { Push, Subscriber, Transport } from "./transport.ts";
import { Visit, type JoinOptions, type VisitContext } from "./visit.ts";

export interface HubContext {
  readonly broker: Broker;
  readonly presence: PresenceStore;
  readonly authorize: Authorize;
  readonly observer: Observer;
  readonly limits: Limits;
  readonly rooms: RoomOptionsTable;
}

/** A checked message on its way in. */
export interface Publication {
  readonly event: string;
  /** The data as JSON text, see `encodeData`. */
  readonly data: string;
  readonly id?: string;
  readonly ephemeral?: boolean;
  /** Only for ephemeral messages: false leaves out the connection that sends it. */
  readonly echo?: boolean;
}

export interface RoomListing {
  readonly rooms: readonly (RoomsPage["rooms"][number] & RoomCounts)[];
  /** There are more; the next page is asked for after this one, which need not be in `rooms`. */
  readonly next?: RoomName;
}

export interface RoomDescription extends RoomCounts {
  readonly room: RoomName;
  readonly position: Position;
  readonly cursor: string;
  readonly options: RoomOptions;
}

/** One for all: when a node's clients leave it together, making an error for each would take longer than the rest. */
const CONNECTION_ENDED = new HubError("bad_request", "the connection has ended");
/** A room whose members were asked for is held for so long, in ms. */
const MEMBERS_LINGER_MS = 10_000;

/**
 * The core: what can be done with rooms, whatever the wire. Requests go down through it to the broker; messages come up
 * from the broker through the room to the transports. Inputs are checked already; rights and rates are checked here.
 */
export class Hub {
  readonly #context: HubContext;
  readonly #rooms: HeldRooms;
  readonly #subscribers = new Map<Subscriber, SubscriberRooms>();
  readonly #transports: Transport[] = [];
  readonly #watch: HeadWatch;
  readonly #members: MembersDesk;
  readonly #visits: VisitContext;

  constructor(context: HubContext) {
    this.#context = context;
    const { broker, observer, limits } = context;
    const deliver = (room: RoomName, push: Push): void =>
      this.#transports.forEach((transport) => transport.deliver(room, push));
    const common = { broker, observer, deliver, pageLimit: limits.historyPage };
    this.#rooms = new HeldRooms({
      open: (room) => new LocalRoom(room, optionsOf(room, context.rooms).messages, common),
      onClosed: (room) => {
        this.#members.drop(room);
        void broker.unsubscribe(room);
      },
    });
    this.#watch = new HeadWatch(broker, observer, () => this.#rooms.all());
    this.#members = new MembersDesk(context);
    const replayChunk = limits.outboundBytes / 4;
    this.#visits = { members: this.#members, rooms: this.#rooms, replayChunk };
  }

  async start(): Promise<void> {
    await this.#context.broker.start({
      onMessage: (message) => this.#rooms.get(message.room)?.onMessage(message),
      onEphemeral: (message) => this.#rooms.get(message.room)?.onEphemeral(message),
      onAway: () => {
        for (const room of this.#rooms.all()) room.log.doubt();
      },
      onInterruption: (name) => {
        if (name !== undefined) void this.#rooms.get(name)?.compare();
        else for (const room of this.#rooms.all()) void room.compare();
        this.#members.refresh(name);
      },
    });
    await this.#members.start();
    this.#watch.start();
  }

  addTransport(transport: Transport): void {
    this.#transports.push(transport);
  }

  /**
   * Brings a subscriber into a room: replay first, then live, without a seam. A join of a joined room starts it afresh.
   *
   * @param acknowledge runs after the last replayed message and before the first live one
   * @throws HubError `forbidden`, `too_many_rooms`, `name_taken`, `too_large`, `unavailable`; `bad_request` if the room is
   *   left meanwhile
   */
  async join(
    subscriber: Subscriber,
    room: RoomName,
    start: JoinOptions,
    acknowledge: (reply: JoinReply) => void,
  ): Promise<void> {
    const pending = demandJoin(this.#context.authorize, subscriber.session, room, start);
    if (pending !== undefined) await pending;
    await this.#roomsOf(subscriber).join(
      room,
      () => new Visit(subscriber, room, this.#visits),
      (visit) => visit.join(start, acknowledge),
    );
  }

  /** Takes a subscriber out of a room; a join that is still running ends with `bad_request`. */
  async leave(subscriber: Subscriber, room: RoomName): Promise<void> {
    const reason = new HubError("bad_request", "the room was left before the join was over");
    await this.#subscribers.get(subscriber)?.leave(room, reason);
  }

  /** Takes a subscriber whose connection has ended out of everything. */
  disconnect(subscriber: Subscriber): void {
    this.#subscribers.get(subscriber)?.leaveAll(CONNECTION_ENDED);
    this.#subscribers.delete(subscriber);
  }

  /**
   * Publishes into a room; each publication gets its own answer, in its own place.
   *
   * @throws HubError `forbidden`, `rate_limited`, `unavailable`, `store_full`: of all of them
   */
  async publish(
    session: Session,
    room: RoomName,
    publications: readonly Publication[],
  ): Promise<readonly (PublishReply | HubError)[]> {
    // Not awaited where the answer is there at once: one connection's messages keep the order in which they came.
    const pending = demand(this.#context.authorize, session, "publish", room);
    if (pending !== undefined) await pending;
    session.rateLimit?.take(publications.length);
    const results = new Array<PublishReply | HubError>(publications.length);
    const sent: Promise<void>[] = [];
    const [drafts, indexes]: [Draft[], number[]] = [[], []];
    publications.forEach((publication, index) => {
      const draft = draftOf(session, room, publication);
      if (publication.ephemeral === true) {
        const except = publication.echo === false ? { except: session.id } : {};
        results[index] = { room, id: draft.id, ephemeral: true };
        const broadcast = this.#context.broker.broadcast(room, { id: draft.id, head: draft.head, ...except });
        sent.push(broadcast.catch((error: unknown) => void (results[index] = toHubError(error))));
      } else {
        drafts.push(draft);
        indexes.push(index);
      }
    });
    if (drafts.length > 0) {
      const appended = await this.#context.broker.append(room, drafts, optionsOf(room, this.#context.rooms));
      appended.forEach(
        (result, i) => (results[indexes[i]!] = result.ok ? publishedAt(room, result) : result.error),
      );
    }
    await Promise.all(sent);
    return results;
  }

  /**
   * Reads a page of a room's log.
   *
   * @throws HubError `forbidden`, `unavailable`
   */
  async history(session: Session, room: RoomName, range: HistoryRange): Promise<HistoryReply> {
    await this.#demand(session, "history", room);
    return readHistory(this.#context.broker, room, range);
  }

  /** Forgets a room's messages; epoch and offset go on. */
  async clear(session: Session, room: RoomName): Promise<void> {
    await this.#demand(session, "moderate", room);
    await this.#context.broker.clear(room);
    this.#rooms.get(room)?.log.forget();
  }

  /**
   * Reads a page of a room's members.
   *
   * @throws HubError `forbidden`, `unavailable`
   */
  async members(session: Session, name: RoomName, query: MembersQuery): Promise<MembersReply> {
    await this.#demand(session, "presence", name);
    const room = this.#rooms.hold(name);
    try {
      await room.open();
      return await this.#members.page(name, query);
    } finally {
      // Whoever asks for the next page finds the room as it is.
      setTimeout(() => this.#rooms.release(name), MEMBERS_LINGER_MS).unref();
    }
  }

  /**
   * Changes what a member tells of itself.
   *
   * @param info JSON text
   * @throws HubError `bad_request` for who is no member; `rate_limited`, `unavailable`
   */
  async inform(session: Session, room: RoomName, info: string): Promise<void> {
    session.rateLimit?.take(1);
    await this.#members.inform(room, session, info);
  }

  /** A room's head and options; every valid name is a room. */
  async describe(session: Session, room: RoomName): Promise<RoomDescription> {
    await this.#demand(session, "history", room);
    const [[log], [counts]] = await Promise.all([
      this.#context.broker.check([{ room, offset: 0 }]),
      this.#members.counts([room]),
    ]);
    const position = log!.head;
    const options = optionsOf(room, this.#context.rooms);
    return { room, position, cursor: formatCursor(position), ...counts!, options };
  }

  /** Rooms that have a log, of all nodes; those whose history the session may not read are left out. */
  async list(session: Session, query: RoomsQuery): Promise<RoomListing> {
    const page = await this.#context.broker.rooms(query);
    const allowed = await Promise.all(
      page.rooms.map(async ({ room }) => this.#context.authorize(session, "history", room)),
    );
    const visible = page.rooms.filter((_, i) => allowed[i] === true);
    const counts = await this.#members.counts(visible.map(({ room }) => room));
    const rooms = visible.map((room, i) => ({ ...room, ...counts[i]! }));
    const last = page.rooms.at(-1)?.room;
    return page.more && last !== undefined ? { rooms, next: last } : { rooms };
  }

  /** Resolves if the store answers now. */
  ping(): Promise<void> {
    return this.#context.broker.ping();
  }

  /** Ends every connection and then the broker. */
  async close(closing: Closing): Promise<void> {
    await Promise.all(this.#transports.map((transport) => transport.close(closing)));
    this.#watch.stop();
    await this.#members.close();
    await this.#context.broker.close();
  }

  #roomsOf(subscriber: Subscriber): SubscriberRooms {
    let rooms = this.#subscribers.get(subscriber);
    if (rooms === undefined) {
      rooms = new SubscriberRooms(this.#context.limits.roomsPerConnection);
      this.#subscribers.set(subscriber, rooms);
    }
    return rooms;
  }

  async #demand(session: Session, capability: Capability, room: RoomName): Promise<void> {
    await demand(this.#context.authorize, session, capability, room);
  }
}

function draftOf(session: Session, room: RoomName, publication: Publication): Draft {
  const { id, event, data } = publication;
  return { id: id ?? randomId(), keyed: id !== undefined, head: packetHead(room, event, data, session.from) };
}

function publishedAt(room: RoomName, { position, duplicate }: Appended & { ok: true }): PublishReply {
  const { id, epoch, offset } = position;
  return { room, id, epoch, offset, cursor: formatCursor(position), duplicate };
}
