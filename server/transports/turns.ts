/**
 * When what has gathered leaves: `tick` as soon as the code that runs now has ended, for a store that brings many messages
 * at once; `immediate` when all that has arrived by now has been looked at, for messages that come in requests of their
 * own.
 */
export type Gathering = "tick" | "immediate";

/**
 * What is gathered leaves no sooner after what was before it than writing that took, this at most. Otherwise a busy room's
 * publishers split for good into many whose messages leave together and one whose message is always alone, and that one
 * costs as many system calls as all the others. A message that comes later than that waits for nothing.
 */
const LONGEST_REST_MS = 20;

/**
 * The turns of a node, in which what all of its transports have gathered leaves. Those of each transport by itself would
 * rest while the others write, when no publisher can come in, and so join nothing.
 */
export class Turns {
  readonly #gathering: Gathering;
  readonly #now: () => number;
  #due = new Set<() => void>();
  #isLeaving = false;
  /** The time until which nothing gathered leaves. */
  #restsUntil = 0;

  /** @param now gives milliseconds of a clock that never jumps */
  constructor(gathering: Gathering, now: () => number = () => performance.now()) {
    this.#gathering = gathering;
    this.#now = now;
  }

  /** Calls `leave` once in the next turn, however often it is asked for. It must not throw. */
  request(leave: () => void): void {
    const isFirst = this.#due.size === 0;
    this.#due.add(leave);
    if (isFirst && !this.#isLeaving) this.#schedule();
  }

  #schedule(): void {
    const restMs = this.#restsUntil - this.#now();
    // Timers know no parts of a millisecond: few connections are never worth a wait.
    if (restMs >= 1) setTimeout(() => this.#leave(), restMs);
    else if (this.#gathering === "tick") process.nextTick(() => this.#leave());
    else setImmediate(() => this.#leave());
  }

  #leave(): void {
    const due = this.#due;
    this.#due = new Set();
    this.#isLeaving = true;
    const began = this.#now();
    due.forEach((leave) => leave());
    const ended = this.#now();
    this.#restsUntil = ended + Math.min(ended - began, LONGEST_REST_MS);
    this.#isLeaving = false;
    if (this.#due.size > 0) this.#schedule();
  }
}
