import { HubError, toHubError } from "../../shared/errors.ts";
import type { Position } from "../../shared/position.ts";
import type { GapReason } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { CheckResult, EphemeralMessage, LogEnds, StoredMessage } from "./broker.ts";
import { commonEntries } from "./common-entry.ts";
import { Held } from "./held.ts";
import type { Observer } from "./observer.ts";
import { recover } from "./recovery.ts";
import { RoomLog, type RoomLogContext } from "./room-log.ts";
import type { Push } from "./transport.ts";

/** What all rooms of a node have in common. */
export interface LocalRoomContext extends RoomLogContext {
  readonly observer: Observer;
  /** Takes what the live members get, in the order in which they get it. */
  readonly deliver: (room: RoomName, push: Push) => void;
}

const RETRY_MS = { least: 100, most: 1_000 };

/**
 * One room on this node: takes what the broker sends, in whatever order and however often, and hands it on in the order
 * of its offsets, each message once. What it misses it reads from the log before it goes on; what is gone it announces.
 */
export class LocalRoom {
  readonly name: RoomName;
  /** How many messages it keeps. */
  readonly messages: number;
  readonly log: RoomLog;
  readonly #context: LocalRoomContext;
  #last: Position = { epoch: "", offset: 0, id: "" };
  /** Defined while messages wait: until the room is open, and while it compares itself with the log. */
  #held: Held | undefined = new Held();
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #comparing: Promise<void> | undefined;
  /** Something may have passed unseen since the log was asked. */
  #stale = false;
  /** The log may have gone back: that nothing is missing has to be proven by what it still has. */
  #interrupted = false;
  /** `performance.now()` when it was last certain that nothing is missing. */
  #provenAt = 0;
  /** The log has gone on to here; its messages may be on their way. */
  #awaited = 0;
  #closed = false;

  constructor(name: RoomName, messages: number, context: LocalRoomContext) {
    this.name = name;
    this.messages = messages;
    this.#context = context;
    this.log = new RoomLog(this, context);
  }

  /** The newest message that the live members have. */
  get last(): Position {
    return this.#last;
  }

  /** False while the room is at a place whose message it never knew: nobody could resume from there. */
  get isNamed(): boolean {
    return this.#last.id !== "" || this.#last.offset === 0;
  }

  /** It has once known where it stands, so whoever comes may join at once. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** For how long, in ms, nothing has proven that the room has all there is; 0 while it is finding out. */
  unprovenMs(now: number): number {
    return this.#held === undefined && !this.#closed ? now - this.#provenAt : 0;
  }

  /** Subscribes, then reads the head, in this order: what is appended in between arrives twice rather than never. */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    this.#held = undefined;
    this.log.forget();
  }

  onMessage(message: StoredMessage): void {
    if (this.#closed) return;
    if (this.#held !== undefined) {
      if (!this.#held.push(message)) this.#stale = true;
    } else if (!this.#take(message)) {
      this.#held = new Held(message);
      void this.#ask();
    }
  }

  onEphemeral(message: EphemeralMessage): void {
    if (!this.#closed) this.#context.deliver(this.name, { kind: "ephemeral", message });
  }

  /**
   * Compares this node's place with the log's and fetches what it missed; goes on trying while the log can't be read.
   * All who ask at once share one comparison.
   */
  compare(): Promise<void> {
    this.#interrupted = true;
    return this.#ask();
  }

  #ask(): Promise<void> {
    this.#stale = true;
    this.log.doubt();
    // In this very turn: a message that is taken after this call could hide what came before it.
    if (!this.#closed) this.#held ??= new Held();
    this.#comparing ??= this.#compare();
    return this.#comparing;
  }

  /** The log's head is where this room stood when it was asked. */
  prove(askedAt: number): void {
    this.#awaited = 0;
    this.#provenAt = Math.max(this.#provenAt, askedAt);
  }

  /**
   * Takes the log's answer about the place at which this room stood when it was asked. What the log has more may be on
   * its way; only if it has not come by the next answer, or something else is wrong, the room compares itself.
   */
  judge(since: Position, log: CheckResult, askedAt: number): void {
    if (this.#closed || this.#held !== undefined) return;
    const { head } = log;
    const verdict = recover(since, log);
    const mayBeOnItsWay = verdict.recovered || verdict.reason === "trimmed";
    if (!mayBeOnItsWay || this.#last.epoch !== head.epoch) return void this.compare();
    if (verdict.recovered) this.log.learn(log, askedAt);
    if (head.offset <= this.#last.offset) this.prove(askedAt);
    else if (this.#awaited > this.#last.offset) void this.compare();
    else this.#awaited = head.offset;
  }

  async #open(): Promise<void> {
    const { broker } = this.#context;
    await broker.subscribe(this.name);
    this.#held?.cover();
    const askedAt = performance.now();
    const page = await broker.read(this.name, { before: Number.MAX_SAFE_INTEGER, limit: 1 });
    this.#last = page.head;
    page.messages.forEach((message) => this.log.tail.push(message));
    this.log.learn(page, askedAt);
    this.#provenAt = askedAt;
    this.#isOpen = true;
    if (!this.#release()) void this.#ask();
  }

  /** Takes a message if it is the next one or known; anything else says that the log must be asked. */
  #take(message: StoredMessage): boolean {
    if (this.#isNext(message)) {
      this.#deliver(message);
      this.#provenAt = performance.now();
      return true;
    }
    const { epoch, offset } = this.#last;
    return (
      message.epoch === epoch && message.offset <= offset && this.log.tail.idAt(message.offset) === message.id
    );
  }

  #isNext({ epoch, offset }: StoredMessage): boolean {
    return epoch === this.#last.epoch && offset === this.#last.offset + 1;
  }

  #deliver(message: StoredMessage): void {
    this.#last = { epoch: message.epoch, offset: message.offset, id: message.id };
    this.log.tail.push(message);
    this.#context.deliver(this.name, { kind: "message", message });
  }

  /**
   * Hands on what was held, after the log was asked. Returns false if a message that came later than the question
   * doesn't fit: the log must be asked again.
   */
  #release(): boolean {
    const held = this.#held;
    this.#held = undefined;
    const misfit = held?.firstMisfit((message) => this.#take(message) || this.#precedes(message));
    this.#held = misfit;
    return misfit === undefined;
  }

  /** At or before the place that the log just gave, and nothing speaks against it. */
  #precedes(message: StoredMessage): boolean {
    const { epoch, offset } = this.#last;
    return (
      message.epoch === epoch && message.offset <= offset && this.log.tail.idAt(message.offset) === undefined
    );
  }

  async #compare(): Promise<void> {
    // A room that can't be opened is closed by those who wanted it.
    await this.#opening?.catch(() => undefined);
    for (let failures = 0; !this.#closed;) {
      this.#held ??= new Held();
      this.#held.cover();
      this.#stale = false;
      try {
        await this.#catchUp();
        if (!this.#stale && this.#release()) break;
      } catch (error) {
        if (toHubError(error).code === "internal")
          this.#context.observer.failure(`comparing ${this.name}`, error);
        failures += 1;
        await pause(failures);
      }
    }
    // In the turn in which the room was released: whoever asks from now on needs a comparison of its own.
    this.#comparing = undefined;
  }

  async #catchUp(): Promise<void> {
    const since = this.#last;
    const askedAt = performance.now();
    const [log] = await this.#context.broker.check([{ room: this.name, offset: since.offset }]);
    if (this.#closed) return;
    const verdict = recover(since, log!);
    let ends: LogEnds = log!;
    if (!verdict.recovered && verdict.reason === "trimmed") {
      // The log may have gone back behind the last message here, given its offset to another one, and let go of that too:
      // then nothing shows it any more, and what comes next would pass for the next one.
      if (this.#interrupted && since.offset > 0) {
        const hasNext = this.#held?.some((message) => this.#isNext(message)) === true;
        this.#skipTo(ends, hasNext ? since.offset : verdict.start, "trimmed");
      }
      // The room may keep so little that its messages are gone before they arrive.
      this.#held?.takeNext((message) => this.#take(message));
      if (verdict.start > this.#last.offset) this.#skipTo(ends, verdict.start, "trimmed");
    } else if (!verdict.recovered) {
      ends = verdict.reason === "rolled_back" ? await this.#renew(since) : log!;
      if (!this.#closed) await this.#changeLog(ends, verdict.reason);
    }
    if (this.#closed) return;
    // Whatever nobody could be sure of has been told, unless it has happened again meanwhile.
    if (!this.#stale) this.#interrupted = false;
    this.log.learn(ends, askedAt);
    await this.#backfill(ends.head);
    this.#awaited = 0;
    this.#provenAt = askedAt;
  }

  /**
   * The store has lost its newest messages and kept the epoch, which would make two messages of one position. Only what
   * this node itself has heard may cause this, never what a client says.
   */
  #renew(since: Position): Promise<LogEnds> {
    return this.#context.broker.renewEpoch(this.name, since.epoch);
  }

  /** Goes on in another log: after what it has in common with the old one, else from its first message. */
  async #changeLog(ends: LogEnds, reason: GapReason): Promise<void> {
    const { broker, pageLimit } = this.#context;
    const common = await commonEntries(broker, this.name, this.log.tail, ends, pageLimit);
    if (this.#closed) return;
    const last = common?.at(-1);
    const start = last?.offset ?? ends.firstOffset - 1;
    // Another node may have renewed the epoch: then this is the old log all the same.
    this.#skipTo(ends, start, last === undefined ? reason : "rolled_back", last?.id);
    common?.forEach((message) => this.log.tail.push(message));
  }

  async #backfill(head: Position): Promise<void> {
    let fetched = 0;
    while (this.#last.offset < head.offset && !this.#closed) {
      const page = await this.log.page(this.#last.offset);
      if (this.#closed) return;
      if (page.head.epoch !== this.#last.epoch || page.head.offset < this.#last.offset)
        throw new HubError("unavailable", "the log changed while it was read");
      if (page.firstOffset > this.#last.offset + 1) this.#skipTo(page, page.firstOffset - 1, "trimmed");
      const next = page.messages.filter((message) => message.offset > this.#last.offset);
      if (next.length === 0 && this.#last.offset < head.offset) {
        throw new HubError("internal", "the log gives no message after an offset below its head");
      }
      next.forEach((message) => this.#deliver(message));
      fetched += next.length;
    }
    if (fetched > 0) this.#context.observer.backfilled(this.name, fetched);
  }

  #skipTo({ head }: LogEnds, start: number, reason: GapReason, id?: string): void {
    const from = head.epoch === this.#last.epoch && reason !== "rolled_back" ? this.#last.offset + 1 : 1;
    const gap = { room: this.name, epoch: head.epoch, from, to: start, reason };
    this.#last = { epoch: head.epoch, offset: start, id: id ?? (start === head.offset ? head.id : "") };
    this.log.forget();
    this.#context.observer.gap(gap);
    this.#context.deliver(this.name, { kind: "gap", gap, position: this.#last });
  }
}

function pause(attempt: number): Promise<void> {
  const most = Math.min(RETRY_MS.most, RETRY_MS.least * 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS.least + Math.random() * most).unref());
}
