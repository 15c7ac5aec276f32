import type { StoredMessage } from "./broker.ts";

const MAX_MESSAGES = 512;
const MAX_CHARACTERS = 262_144;

/** The newest messages of one room, without holes, so that most readers who come back cost the store nothing. */
export class HotTail {
  #messages: StoredMessage[] = [];
  #characters = 0;

  get oldest(): StoredMessage | undefined {
    return this.#messages[0];
  }

  get newest(): StoredMessage | undefined {
    return this.#messages.at(-1);
  }

  push(message: StoredMessage): void {
    this.#messages.push(message);
    this.#characters += message.packet.length;
    if (this.#messages.length > MAX_MESSAGES || this.#characters > MAX_CHARACTERS) this.#shrink();
  }

  /** Takes what was read of the log and ends where the tail begins, as far as there is space. */
  prepend(messages: readonly StoredMessage[]): void {
    for (const message of messages.toReversed()) {
      const { oldest } = this;
      if (oldest === undefined || oldest.epoch !== message.epoch) return;
      if (message.offset >= oldest.offset) continue;
      const characters = this.#characters + message.packet.length;
      const fits = this.#messages.length < MAX_MESSAGES && characters <= MAX_CHARACTERS;
      if (message.offset !== oldest.offset - 1 || !fits) return;
      this.#messages.unshift(message);
      this.#characters = characters;
    }
  }

  clear(): void {
    this.#messages = [];
    this.#characters = 0;
  }

  /** The id at an offset, if it is here. */
  idAt(offset: number): string | undefined {
    return this.#at(offset)?.id;
  }

  /**
   * Whether a message of a log that took this one's place may have been heard before, under whatever epoch. Ids may be
   * counted anew by their publishers, so the time has to agree as well; what is older than the tail is told by its time.
   */
  mayHaveHeard({ offset, id, time }: StoredMessage): boolean {
    const { oldest } = this;
    if (oldest === undefined) return false;
    if (offset < oldest.offset) return time <= oldest.time;
    const heard = this.#at(offset);
    return heard?.id === id && heard.time === time;
  }

  /** Up to `limit` messages after an offset; undefined if the first of them is no longer here. */
  after(offset: number, limit: number): readonly StoredMessage[] | undefined {
    const index = offset + 1 - this.#first;
    if (this.#messages.length === 0 || index < 0) return undefined;
    return this.#messages.slice(index, index + limit);
  }

  get #first(): number {
    return this.#messages[0]?.offset ?? Number.NaN;
  }

  #at(offset: number): StoredMessage | undefined {
    return this.#messages[offset - this.#first];
  }

  /** By a quarter at a time: moving the array for every message would cost more than the message. */
  #shrink(): void {
    const length = this.#messages.length;
    let drop = 0;
    while (
      drop < length - 1 &&
      (length - drop > MAX_MESSAGES * 0.75 || this.#characters > MAX_CHARACTERS * 0.75)
    ) {
      this.#characters -= this.#messages[drop]!.packet.length;
      drop += 1;
    }
    this.#messages = this.#messages.slice(drop);
  }
}
