/** Commands that begin within so many ms share a slot; the later ones have that much less time. */
const SLOT_MS = 2;

/**
 * Tells commands that began at about the same time when one of them is over its time: those that have not been written
 * by then must not be any more.
 */
export class WaitSlot {
  readonly until: number;
  readonly #listeners = new Set<() => void>();
  #pending = 0;
  #aborted = false;

  constructor(until: number) {
    this.until = until;
  }

  /**
   * This, as the client takes it. It has what the client uses of a signal; a real one looks at all its listeners for each
   * that is added, and warns of many.
   */
  get signal(): AbortSignal {
    return this as unknown as AbortSignal;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get pending(): number {
    return this.#pending;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  enter(): void {
    this.#pending += 1;
  }

  /** A command has its answer. */
  leave(): void {
    this.#pending -= 1;
  }

  abort(): void {
    this.#aborted = true;
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}

/**
 * Notices commands that wait too long. They share timers and signals: a signal with a timer for each command, as the
 * client would make, costs a quarter of all CPU time where each message is a command of its own.
 */
export class WaitSlots {
  readonly #ms: number;
  readonly #onLate: () => void;
  #latest: WaitSlot | undefined;

  /** @param onLate is called before what is late is aborted */
  constructor(ms: number, onLate: () => void) {
    this.#ms = ms;
    this.#onLate = onLate;
  }

  /** A command begins; it must leave the slot when it has its answer. */
  enter(): WaitSlot {
    const now = performance.now();
    const slot = this.#latest !== undefined && now < this.#latest.until ? this.#latest : this.#open(now);
    slot.enter();
    return slot;
  }

  #open(now: number): WaitSlot {
    const slot = new WaitSlot(now + SLOT_MS);
    const end = (): void => {
      if (slot.pending === 0) return;
      this.#onLate();
      slot.abort();
    };
    // Whoever waits has a timer that keeps the process.
    setTimeout(end, this.#ms).unref();
    this.#latest = slot;
    return slot;
  }
}
