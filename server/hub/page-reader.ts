import type { RoomName } from "../../shared/room-name.ts";
import type { Broker, HistoryPage } from "./broker.ts";

/** A page that nobody has asked for so long is let go, in ms. */
const IDLE_MS = 1_000;
/** Some dozen pages of short messages. */
const MAX_CHARACTERS = 2_097_152;

interface Shared {
  readonly page: Promise<HistoryPage>;
  usedAt: number;
  /** Of its packets; 0 while it is under way. */
  characters: number;
}

/**
 * Reads pages of one room's log for all who ask. Pages begin at fixed offsets, so that readers who stand at different
 * places share them, and full ones, which only grow out of date by being trimmed, are kept while they are in use.
 */
export class PageReader {
  readonly #broker: Broker;
  readonly #room: RoomName;
  readonly #limit: number;
  /** In the order of their last use. */
  readonly #pages = new Map<number, Shared>();
  #characters = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(broker: Broker, room: RoomName, limit: number) {
    this.#broker = broker;
    this.#room = room;
    this.#limit = limit;
  }

  /** The page in which the message after an offset stands; it may begin before that message, and may be some s old. */
  after(offset: number): Promise<HistoryPage> {
    const start = offset - (offset % this.#limit);
    const known = this.#pages.get(start);
    const shared = known ?? { page: this.#read(start), usedAt: 0, characters: 0 };
    shared.usedAt = performance.now();
    this.#pages.delete(start);
    this.#pages.set(start, shared);
    if (known === undefined) {
      void shared.page.then(
        (page) => this.#keep(start, shared, page),
        () => this.#drop(start, shared),
      );
    }
    return shared.page;
  }

  /** Lets go of pages that begin with a message which the log no longer has. */
  trim(firstOffset: number): void {
    for (const [start, shared] of this.#pages) if (start + 1 < firstOffset) this.#drop(start, shared);
  }

  /** Lets go of everything. */
  forget(): void {
    this.#pages.clear();
    this.#characters = 0;
    clearTimeout(this.#idle);
    this.#idle = undefined;
  }

  #read(start: number): Promise<HistoryPage> {
    return this.#broker.read(this.#room, { after: start, limit: this.#limit });
  }

  #keep(start: number, shared: Shared, { messages }: HistoryPage): void {
    if (this.#pages.get(start) !== shared) return;
    if (messages.length < this.#limit) return this.#drop(start, shared);
    shared.characters = messages.reduce((sum, { packet }) => sum + packet.length, 0);
    this.#characters += shared.characters;
    for (const [oldest, other] of this.#pages) {
      if (this.#characters <= MAX_CHARACTERS) break;
      if (other.characters > 0) this.#drop(oldest, other);
    }
    this.#idle ??= setTimeout(() => this.#dropIdle(), IDLE_MS).unref();
  }

  #drop(start: number, shared: Shared): void {
    if (this.#pages.get(start) !== shared) return;
    this.#pages.delete(start);
    this.#characters -= shared.characters;
  }

  #dropIdle(): void {
    const now = performance.now();
    for (const [start, shared] of this.#pages)
      if (shared.characters > 0 && now - shared.usedAt >= IDLE_MS) this.#drop(start, shared);
    this.#idle = this.#characters > 0 ? setTimeout(() => this.#dropIdle(), IDLE_MS).unref() : undefined;
  }
}
