import { HubError, toHubError } from "../../shared/errors.ts";
import type { Position } from "../../shared/position.ts";
import type { GapReason } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Broker, EphemeralMessage, HistoryPage, StoredMessage } from "./broker.ts";
import { HotTail } from "./hot-tail.ts";
import type { Observer } from "./observer.ts";
import { PageReader } from "./page-reader.ts";
import { recover } from "./recovery.ts";
import type { Push } from "./transport.ts";

export interface LocalRoomContext {
  readonly broker: Broker;
  readonly observer: Observer;
  /** Takes what the live members get, in the order in which they get it. */
  readonly deliver: (room: RoomName, push: Push) => void;
  readonly pageLimit: number;
}

/** What arrives while the room can't take it is held up to here; beyond, it is read from the log instead. */
const MAX_HELD = 4_096;
const RETRY_MS = { least: 100, most: 1_000 };

/**
 * One room on this node: takes what the broker sends, in whatever order and however often, and hands it on in the order
 * of its offsets, each message once. What it misses it reads from the log before it goes on; what is gone it announces.
 */
export class LocalRoom {
  readonly name: RoomName;
  readonly #context: LocalRoomContext;
  readonly #reader: PageReader;
  readonly #tail = new HotTail();
  #last: Position = { epoch: "", offset: 0, id: "" };
  /** Defined while messages wait: until the room is open, and while it compares itself with the log. */
  #held: StoredMessage[] | undefined = [];
  /** So many of the held ones had come before the log was asked, so its answer covers them. */
  #covered = 0;
  #opening: Promise<void> | undefined;
  #comparing: Promise<void> | undefined;
  /** Something may have passed unseen since the log was asked. */
  #stale = false;
  #closed = false;

  constructor(name: RoomName, context: LocalRoomContext) {
    this.name = name;
    this.#context = context;
    this.#reader = new PageReader(context.broker, name, context.pageLimit);
  }

  /** The newest message that the live members have. */
  get last(): Position {
    return this.#last;
  }

  /** Subscribes, then reads the head, in this order: what is appended in between arrives twice rather than never. */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    this.#held = undefined;
    this.#tail.clear();
  }

  onMessage(message: StoredMessage): void {
    if (this.#closed) return;
    if (this.#held !== undefined) this.#hold(message);
    else if (!this.#take(message)) {
      this.#held = [message];
      void this.compare();
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
    this.#stale = true;
    this.#comparing ??= this.#compare();
    return this.#comparing;
  }

  /** Messages after an offset that this node still has; undefined if the log must be asked. */
  recent(offset: number, limit: number): readonly StoredMessage[] | undefined {
    return this.#tail.after(offset, limit);
  }

  /** A page of the log. */
  page(offset: number): Promise<HistoryPage> {
    return this.#reader.after(offset);
  }

  async #open(): Promise<void> {
    const { broker } = this.#context;
    await broker.subscribe(this.name);
    this.#covered = this.#held?.length ?? 0;
    const [log] = await broker.check([{ room: this.name, offset: 0 }]);
    this.#last = log!.head;
    if (!this.#release()) void this.compare();
  }

  /** Takes a message if it is the next one or known; anything else says that the log must be asked. */
  #take(message: StoredMessage): boolean {
    if (message.epoch !== this.#last.epoch) return false;
    if (message.offset === this.#last.offset + 1) {
      this.#deliver(message);
      return true;
    }
    return message.offset <= this.#last.offset && this.#tail.idAt(message.offset) === message.id;
  }

  #deliver(message: StoredMessage): void {
    this.#last = { epoch: message.epoch, offset: message.offset, id: message.id };
    this.#tail.push(message);
    this.#context.deliver(this.name, { kind: "message", message });
  }

  #hold(message: StoredMessage): void {
    this.#held!.push(message);
    if (this.#held!.length <= MAX_HELD) return;
    this.#held = [];
    this.#covered = 0;
    this.#stale = true;
  }

  /**
   * Hands on what was held, after the log was asked. Returns false if a message that came later than the question
   * doesn't fit: the log must be asked again.
   */
  #release(): boolean {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const [i, message] of held.entries()) {
      if (this.#take(message) || this.#precedes(message) || i < this.#covered) continue;
      this.#held = held.slice(i);
      return false;
    }
    return true;
  }

  /** At or before the place that the log just gave, and nothing speaks against it. */
  #precedes(message: StoredMessage): boolean {
    const { epoch, offset } = this.#last;
    return (
      message.epoch === epoch && message.offset <= offset && this.#tail.idAt(message.offset) === undefined
    );
  }

  async #compare(): Promise<void> {
    // A room that can't be opened is closed by those who wanted it.
    await this.#opening?.catch(() => undefined);
    for (let failures = 0; !this.#closed;) {
      this.#held ??= [];
      this.#covered = this.#held.length;
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
    const [log] = await this.#context.broker.check([{ room: this.name, offset: since.offset }]);
    if (this.#closed) return;
    const verdict = recover(since, log!);
    if (!verdict.recovered) {
      // After a rollback the log holds again what the members have had, so they go on at its head.
      const start = verdict.reason === "rolled_back" ? log!.head.offset : verdict.start;
      this.#skipTo(log!.head, start, verdict.reason);
    }
    await this.#backfill(log!.head);
  }

  async #backfill(head: Position): Promise<void> {
    let fetched = 0;
    while (this.#last.offset < head.offset && !this.#closed) {
      const page = await this.page(this.#last.offset);
      if (this.#closed) return;
      if (page.head.epoch !== this.#last.epoch)
        throw new HubError("unavailable", "the log changed while it was read");
      if (page.firstOffset > this.#last.offset + 1) this.#skipTo(page.head, page.firstOffset - 1, "trimmed");
      const next = page.messages.filter((message) => message.offset > this.#last.offset);
      if (next.length === 0 && this.#last.offset < head.offset) {
        throw new HubError("internal", "the log gives no message after an offset below its head");
      }
      next.forEach((message) => this.#deliver(message));
      fetched += next.length;
    }
    if (fetched > 0) this.#context.observer.backfilled(this.name, fetched);
  }

  #skipTo(head: Position, start: number, reason: GapReason): void {
    const from = head.epoch === this.#last.epoch && reason !== "rolled_back" ? this.#last.offset + 1 : 1;
    const gap = { room: this.name, epoch: head.epoch, from, to: start, reason };
    this.#last = { epoch: head.epoch, offset: start, id: start === head.offset ? head.id : "" };
    this.#tail.clear();
    this.#context.observer.gap(gap);
    this.#context.deliver(this.name, { kind: "gap", gap });
  }
}

function pause(attempt: number): Promise<void> {
  const most = Math.min(RETRY_MS.most, RETRY_MS.least * 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS.least + Math.random() * most).unref());
}
