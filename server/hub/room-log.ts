import { HubError } from "../../shared/errors.ts";
import type { Position } from "../../shared/position.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Broker, CheckResult, HistoryPage, LogEnds, StoredMessage } from "./broker.ts";
import { HotTail } from "./hot-tail.ts";
import { PageReader } from "./page-reader.ts";
import { Questions } from "./questions.ts";
import { recover } from "./recovery.ts";

/** For so long the log's ends are taken to be what they were, in ms: a thousand readers who come back are one question. */
const FRESH_MS = 1_000;
/** How often a question is asked anew because the log is another one than was heard. */
const MAX_CHANGES = 10;

/** What all rooms of a node have in common. */
export interface RoomLogContext {
  readonly broker: Broker;
  readonly pageLimit: number;
}

/** The room whose log it is. */
export interface HearingRoom {
  readonly name: RoomName;
  /** How many messages it keeps. */
  readonly messages: number;
  /** The newest message that this node has heard. */
  readonly last: Position;
  /** Lets the node find out why the log is not the one that it has heard. */
  compare(): Promise<void>;
}

/** What this node knows of one room's log, and how it asks for the rest: once for all who want to know. */
export class RoomLog {
  readonly tail: HotTail = new HotTail();
  readonly #room: HearingRoom;
  readonly #context: RoomLogContext;
  // Made when somebody asks for what they read: in most rooms nobody ever does.
  #pages: PageReader | undefined;
  #questions: Questions | undefined;
  #young: Map<number, Promise<HistoryPage>> | undefined;
  #ends: LogEnds | undefined;
  #endsAt = Number.NEGATIVE_INFINITY;
  #doubtedAt = Number.NEGATIVE_INFINITY;

  constructor(room: HearingRoom, context: RoomLogContext) {
    this.#room = room;
    this.#context = context;
  }

  /** Takes what the log said. @param askedAt `performance.now()` when it was asked */
  learn(ends: LogEnds, askedAt: number): void {
    if (askedAt < this.#endsAt) return;
    this.#ends = { head: ends.head, firstOffset: ends.firstOffset };
    this.#endsAt = askedAt;
    this.#pages?.trim(ends.firstOffset);
  }

  /** What is known may be out of date: it is asked for anew before anyone relies on it. */
  doubt(): void {
    this.#doubtedAt = performance.now();
  }

  /** Forgets all of it: the log has changed, or its messages were removed. */
  forget(): void {
    this.tail.clear();
    this.#pages?.forget();
    this.#ends = undefined;
    this.#endsAt = Number.NEGATIVE_INFINITY;
  }

  /** The log's ends, as they were a second ago at most; the head is no older than what this node has heard. */
  async ends(): Promise<LogEnds> {
    const isFresh = this.#endsAt > this.#doubtedAt && performance.now() - this.#endsAt < FRESH_MS;
    const { head, firstOffset } = isFresh ? this.#ends! : await this.check(0);
    const heard = this.#room.last;
    if (heard.epoch !== head.epoch || heard.offset <= head.offset || heard.id === "")
      return { head, firstOffset };
    // The log has let go of as many as came since.
    return { head: heard, firstOffset: Math.max(firstOffset, heard.offset - this.#room.messages + 1) };
  }

  /**
   * What the log says of an offset, asked after this call, and after the node has found out where it stands itself.
   *
   * @throws HubError `unavailable`
   */
  async check(offset: number): Promise<CheckResult> {
    for (let changes = 0; changes < MAX_CHANGES; changes += 1) {
      const askedAt = performance.now();
      const heard = this.#room.last;
      this.#questions ??= new Questions(this.#context.broker, this.#room.name);
      const result = await this.#questions.check(offset);
      if (result.head.epoch === heard.epoch && result.head.offset >= heard.offset) {
        this.learn(result, askedAt);
        return result;
      }
      await this.#room.compare();
    }
    throw new HubError("unavailable", "the room's log keeps changing");
  }

  /** What the log says of a position. What speaks for it may be a second old; what speaks against it is asked anew. */
  async standing(since: Position): Promise<CheckResult> {
    const ends = await this.ends();
    const known = await this.#known(since, ends);
    return known !== undefined && recover(since, known).recovered ? known : this.check(since.offset);
  }

  /** Messages after an offset that this node still has; undefined if the log must be asked. */
  recent(offset: number, limit: number): readonly StoredMessage[] | undefined {
    // The log may have let go of what is still here, unless it never had anything.
    const isKept = offset + 1 >= (this.#ends?.firstOffset ?? Number.POSITIVE_INFINITY);
    return isKept || this.#room.messages === 0 ? this.tail.after(offset, limit) : undefined;
  }

  /** The log's ends, and the first message that is at most so old. */
  since(youngerThanMs: number): Promise<HistoryPage> {
    const young = (this.#young ??= new Map<number, Promise<HistoryPage>>());
    const shared = young.get(youngerThanMs);
    if (shared !== undefined) return shared;
    const read = this.#context.broker
      .read(this.#room.name, { youngerThanMs, limit: 1 })
      .finally(() => young.delete(youngerThanMs));
    young.set(youngerThanMs, read);
    return read;
  }

  /** The page in which the message after an offset stands; it may begin before that message. */
  async page(offset: number): Promise<HistoryPage> {
    const { broker, pageLimit } = this.#context;
    this.#pages ??= new PageReader(broker, this.#room.name, pageLimit);
    const page = await this.#pages.after(offset);
    this.tail.prepend(page.messages);
    return page;
  }

  async #known(since: Position, { head, firstOffset }: LogEnds): Promise<CheckResult | undefined> {
    const { epoch, offset } = since;
    if (epoch !== head.epoch || offset > head.offset) return undefined;
    if (offset === head.offset) return { head, firstOffset, idAt: head.id };
    if (offset === 0) return { head, firstOffset, idAt: undefined };
    if (offset < firstOffset) return undefined;
    const idAt = this.tail.idAt(offset);
    if (idAt !== undefined) return { head, firstOffset, idAt };
    const page = await this.page(offset - 1);
    const found = page.messages.find((message) => message.offset === offset);
    return { head: page.head, firstOffset: page.firstOffset, idAt: found?.id };
  }
}
