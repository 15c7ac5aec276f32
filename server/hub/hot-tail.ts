import type { StoredMessage } from "./broker.ts";

const MAX_MESSAGES = 512;
const MAX_CHARACTERS = 262_144;

/** The newest messages of one room, without holes, so that most readers who come back cost the store nothing. */
export class HotTail {
  #messages: StoredMessage[] = [];
  #characters = 0;

  push(message: StoredMessage): void {
    this.#messages.push(message);
    this.#characters += message.packet.length;
    if (this.#messages.length > MAX_MESSAGES || this.#characters > MAX_CHARACTERS) this.#shrink();
  }

  clear(): void {
    this.#messages = [];
    this.#characters = 0;
  }

  /** The id at an offset, if it is here. */
  idAt(offset: number): string | undefined {
    return this.#messages[offset - this.#first]?.id;
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
