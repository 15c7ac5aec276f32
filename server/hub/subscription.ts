import { HubError } from "../../shared/errors.ts";
import { parseDuration } from "../../shared/duration.ts";
import { formatCursor, type Position } from "../../shared/position.ts";
import type { GapReason, JoinReply, Rewind } from "../../shared/protocol.ts";
import type { StoredMessage } from "./broker.ts";
import type { LocalRoom } from "./local-room.ts";
import { recover } from "./recovery.ts";
import type { Subscriber } from "./transport.ts";

/** Where a join starts; without either, with what comes from now on. */
export interface Start {
  readonly since?: Position;
  readonly rewind?: Rewind;
}

export interface SubscriptionContext {
  /** Characters of messages after which a replay waits for the reader. */
  readonly replayChunk: number;
}

/** How often a join starts over because the log's identity changes under it. */
const MAX_CHANGES = 10;

/** What the reader is told about the way from `since` to now. */
interface Course {
  cur: Position;
  firstOffset: number;
  replayed: number;
  recovered?: boolean;
  reason?: GapReason;
}

/** One subscriber in one room: joining, then live, then left. */
export class Subscription {
  readonly #subscriber: Subscriber;
  readonly #room: LocalRoom;
  readonly #context: SubscriptionContext;
  #live = false;
  #ended: HubError | undefined;

  constructor(subscriber: Subscriber, room: LocalRoom, context: SubscriptionContext) {
    this.#subscriber = subscriber;
    this.#room = room;
    this.#context = context;
  }

  /**
   * Replays what the start asks for and goes live where the replay meets the room's newest message: nothing between
   * them is missing or comes twice. `acknowledge` runs in that very turn, before any live message.
   *
   * @throws HubError why the join ended: what `end` was given, or what kept the log from being read
   */
  async join(start: Start, acknowledge: (reply: JoinReply) => void): Promise<void> {
    if (!this.#room.isOpen) await this.#room.open();
    this.#demandRunning();
    const { since, rewind } = start;
    const course: Course =
      since === undefined && rewind === undefined
        ? // Read only now: the room may have gone on since it was opened.
          { cur: this.#room.last, firstOffset: 0, replayed: 0 }
        : await this.#courseFrom(start);
    for (let changes = 0; !this.#hasMet(course);) {
      const { cur } = course;
      const { epoch, offset } = this.#room.last;
      if (cur.epoch !== epoch || cur.offset === offset) {
        changes += 1;
        if (changes > MAX_CHANGES) throw new HubError("unavailable", "the room's log keeps changing");
      }
      if (cur.epoch !== epoch) await this.#followEpoch(course);
      else if (cur.offset < offset) await this.#replay(course);
      else await this.#room.compare();
      this.#demandRunning();
    }
    // From here to the end of this method nothing may wait, or a live message would slip in between.
    this.#live = true;
    this.#subscriber.goLive(this.#room.name);
    acknowledge(this.#reply(course));
  }

  /** Ends the subscription, whatever it is doing; a join under way rejects with `reason`. */
  end(reason: HubError): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    if (this.#live) this.#subscriber.leave(this.#room.name);
  }

  async #courseFrom({ since, rewind }: Start): Promise<Course> {
    const { log } = this.#room;
    if (typeof rewind === "string" && since === undefined) {
      const page = await log.since(parseDuration(rewind));
      const offset = (page.messages[0]?.offset ?? page.head.offset + 1) - 1;
      return { cur: { epoch: page.head.epoch, offset, id: "" }, firstOffset: page.firstOffset, replayed: 0 };
    }
    if (since === undefined) {
      const { head, firstOffset } = await log.ends();
      const offset = Math.max(head.offset - Number(rewind), firstOffset - 1);
      return { cur: { epoch: head.epoch, offset, id: "" }, firstOffset, replayed: 0 };
    }
    const standing = await log.standing(since);
    this.#demandRunning();
    const { head, firstOffset } = standing;
    const verdict = recover(since, standing);
    const course: Course = {
      cur: {
        epoch: head.epoch,
        offset: verdict.start,
        id: verdict.recovered && since.offset > 0 ? since.id : "",
      },
      firstOffset,
      replayed: 0,
    };
    course.recovered = verdict.recovered;
    if (!verdict.recovered) this.#tellGap(course, since, verdict.reason);
    return course;
  }

  /** The room and the reader are in different logs: the room is brought up to date, then the reader. */
  async #followEpoch(course: Course): Promise<void> {
    await this.#room.compare();
    this.#demandRunning();
    if (course.cur.epoch === this.#room.last.epoch) return;
    const { head, firstOffset } = await this.#room.log.check(0);
    this.#demandRunning();
    const before = course.cur;
    course.cur = { epoch: head.epoch, offset: firstOffset - 1, id: "" };
    course.firstOffset = firstOffset;
    if (before.epoch !== course.cur.epoch) this.#tellGap(course, before, "epoch_changed");
  }

  async #replay(course: Course): Promise<void> {
    const { offset } = course.cur;
    await this.#replayPage(course);
    // The log has less than this node has seen: the room finds out why.
    if (course.cur.offset === offset) await this.#room.compare();
  }

  async #replayPage(course: Course): Promise<void> {
    const { log } = this.#room;
    // What is still at hand may have been removed from the log while the reader took what came before it.
    await log.ends();
    this.#demandRunning();
    const recent = log.recent(course.cur.offset, Number.POSITIVE_INFINITY);
    if (recent !== undefined) return this.#send(course, recent);
    const page = await log.page(course.cur.offset);
    this.#demandRunning();
    // The loop in join() follows the log's new identity as soon as the room has seen it.
    if (page.head.epoch !== course.cur.epoch) return;
    const isThere = page.messages.some(({ offset }) => offset === course.cur.offset + 1);
    if (!isThere && page.firstOffset > course.cur.offset + 1) {
      const before = course.cur;
      course.cur = { ...before, offset: page.firstOffset - 1, id: "" };
      course.firstOffset = page.firstOffset;
      this.#tellGap(course, before, "trimmed");
    }
    await this.#send(course, page.messages);
  }

  /** Sends what is next, up to the room's newest message, as fast as the reader takes it. */
  async #send(course: Course, messages: readonly StoredMessage[]): Promise<void> {
    let chunk: StoredMessage[] = [];
    let characters = 0;
    for (const message of messages) {
      if (message.offset !== course.cur.offset + 1) continue;
      const { epoch, offset } = this.#room.last;
      // The room may have changed its log while the reader waited: it is told of that before what follows.
      if (message.epoch !== course.cur.epoch || message.epoch !== epoch || message.offset > offset) break;
      chunk.push(message);
      course.cur = { epoch: message.epoch, offset: message.offset, id: message.id };
      course.replayed += 1;
      characters += message.packet.length;
      if (characters < this.#context.replayChunk) continue;
      this.#subscriber.replay(chunk);
      await this.#subscriber.drained();
      this.#demandRunning();
      [chunk, characters] = [[], 0];
    }
    if (chunk.length > 0) this.#subscriber.replay(chunk);
    // Also lets the rest of the node run where the whole replay is at hand.
    await this.#subscriber.drained();
  }

  /**
   * Where the room has just passed over messages that are gone, nobody knows the id at its place until it has read on: a
   * position from there would be none. And if the last replayed message is another one than the room's at that place,
   * the log went back and the room has not seen it yet.
   */
  #hasMet({ cur }: Course): boolean {
    const { epoch, offset, id } = this.#room.last;
    if (cur.offset !== offset || cur.epoch !== epoch) return false;
    return cur.id === "" ? id !== "" || offset === 0 : cur.id === id;
  }

  #tellGap(course: Course, before: Position, reason: GapReason): void {
    if (course.recovered !== undefined) course.recovered = false;
    course.reason = reason;
    const { epoch, offset } = course.cur;
    const from = before.epoch === epoch && reason === "trimmed" ? before.offset + 1 : 1;
    const gap = { room: this.#room.name, epoch, from, to: offset, reason };
    this.#subscriber.send({ kind: "gap", gap, position: course.cur });
  }

  #reply(course: Course): JoinReply {
    const position = this.#room.last;
    return {
      room: this.#room.name,
      position,
      cursor: formatCursor(position),
      ...(course.recovered === undefined ? {} : { recovered: course.recovered }),
      replayed: course.replayed,
      ...(course.reason === undefined ? {} : { reason: course.reason }),
      ...(course.firstOffset === 0 ? {} : { firstOffset: course.firstOffset }),
    };
  }

  #demandRunning(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }
}
