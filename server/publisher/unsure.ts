import type { CheckedMessage } from "./message.ts";

const MOST = 10_000;

/**
 * Remembers what was given up although it may be stored, under an id that the log does not remember: whoever sends it
 * again, as the error says, must not make a second message of it.
 */
export class Unsure {
  readonly #windowMs: number;
  /** By room and id, `performance.now()` of the first try; the oldest first. */
  readonly #since = new Map<string, number>();

  /** @param windowMs for how long the same id is the same message */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** When a message that is sent now was tried first. */
  since(message: CheckedMessage): number | undefined {
    // An id that has just been made is in here only by a miracle.
    return message.keyed ? this.#since.get(keyOf(message)) : undefined;
  }

  /** Takes what became of a message. @param since undefined if there is no doubt */
  settle(message: CheckedMessage, since: number | undefined): void {
    const key = keyOf(message);
    const isForgotten = this.#since.delete(key) || !message.keyed;
    if (since === undefined || message.ephemeral || !isForgotten) return;
    this.#since.set(key, since);
    for (const [oldest, at] of this.#since) {
      if (this.#since.size <= MOST && performance.now() - at < this.#windowMs) break;
      this.#since.delete(oldest);
    }
  }
}

function keyOf({ room, id }: CheckedMessage): string {
  return `${room} ${id}`;
}
