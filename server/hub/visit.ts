import type { HubError } from "../../shared/errors.ts";
import type { JoinReply } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { HeldRooms } from "./held-rooms.ts";
import type { LocalRoom } from "./local-room.ts";
import type { MembersDesk } from "./members-desk.ts";
import type { Roster } from "./roster.ts";
import { Subscription, type Start, type SubscriptionContext } from "./subscription.ts";
import type { Subscriber } from "./transport.ts";

/** How somebody joins a room. */
export interface JoinOptions extends Start {
  /** Be a member, and be told of the others. */
  readonly presence?: boolean;
  /** What the member tells of itself, as JSON text. */
  readonly info?: string;
}

/** What all visits of a node have in common. */
export interface VisitContext extends SubscriptionContext {
  readonly members: MembersDesk;
  readonly rooms: HeldRooms;
}

/** One subscriber in one room: what it hears of the log, that others see it, and what it hears of the others. */
export class Visit {
  readonly #subscriber: Subscriber;
  readonly #room: LocalRoom;
  readonly #context: VisitContext;
  readonly #subscription: Subscription;
  #isMember = false;
  /** Counted as a connection of the room, which one is that hears it. */
  #isCounted = false;
  #roster: Roster | undefined;

  /** Holds the room, until its release. */
  constructor(subscriber: Subscriber, room: RoomName, context: VisitContext) {
    this.#subscriber = subscriber;
    this.#room = context.rooms.hold(room);
    this.#context = context;
    this.#subscription = new Subscription(subscriber, this.#room, context);
  }

  /**
   * Replays, and goes live; `acknowledge` runs in the very turn in which it does, with the members as they are then.
   *
   * @throws HubError `name_taken`, `too_large` if the room is full, or what ended the join
   */
  async join(
    { presence = false, info, ...start }: JoinOptions,
    acknowledge: (reply: JoinReply) => void,
  ): Promise<void> {
    const { members: desk } = this.#context;
    const entering = desk.enter(this.#room.name, this.#subscriber.session, { presence, info });
    if (entering !== false) this.#isMember = await entering;
    let roster: Roster | undefined;
    if (presence) {
      await this.#room.open();
      roster = await desk.roster(this.#room.name);
      const user = this.#subscriber.session.from?.user;
      if (this.#isMember && user !== undefined) await roster.seen(user);
    }
    await this.#subscription.join(start, (reply) => {
      this.#isCounted = true;
      desk.arrive(this.#room.name);
      if (roster === undefined) return acknowledge(reply);
      this.#roster = roster;
      const { members, total } = roster.page();
      roster.watch(this.#subscriber);
      return acknowledge({ ...reply, members, total });
    });
  }

  /** Ends it, whatever it is doing; a join under way rejects with `reason`. */
  end(reason: HubError): void {
    this.#subscription.end(reason);
  }

  /**
   * Gives back all that it holds, after its end; to be called once.
   *
   * @param meant the subscriber has left; otherwise its connection has ended and may come back
   */
  release(meant: boolean): void {
    const { members, rooms } = this.#context;
    this.#roster?.unwatch(this.#subscriber);
    if (this.#isMember) members.exit(this.#room.name, this.#subscriber.session, { meant });
    if (this.#isCounted) members.depart(this.#room.name);
    rooms.release(this.#room.name);
  }
}
