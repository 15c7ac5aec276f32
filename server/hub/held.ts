import type { StoredMessage } from "./broker.ts";

/** What arrives while the room can't take it is held up to here; beyond, it is read from the log instead. */
const MAX_HELD = 4_096;

/** Messages that wait while their room finds out where it stands. */
export class Held {
  #messages: StoredMessage[];
  /** So many of them had come before the log was asked, so its answer covers them. */
  #covered = 0;

  constructor(...messages: StoredMessage[]) {
    this.#messages = messages;
  }

  /** Returns false if that is too many: then all are dropped, and must be read from the log. */
  push(message: StoredMessage): boolean {
    this.#messages.push(message);
    if (this.#messages.length <= MAX_HELD) return true;
    this.#messages = [];
    this.#covered = 0;
    return false;
  }

  /** The log is about to be asked: its answer will say what those are that have come already. */
  cover(): void {
    this.#covered = this.#messages.length;
  }

  /** Whether any of them is such a message. */
  some(test: (message: StoredMessage) => boolean): boolean {
    return this.#messages.some(test);
  }

  /** Offers each message; those that are not taken stay as they are. */
  takeNext(take: (message: StoredMessage) => boolean): void {
    this.#messages.forEach(take);
  }

  /**
   * Offers each message in turn, until one that the log's answer does not cover is not taken; gives that one and those
   * behind it, or undefined if there is none.
   */
  firstMisfit(take: (message: StoredMessage) => boolean): Held | undefined {
    const at = this.#messages.findIndex((message, i) => !take(message) && i >= this.#covered);
    return at < 0 ? undefined : new Held(...this.#messages.slice(at));
  }
}
