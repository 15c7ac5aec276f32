const SHORTEST_MS = 500;
const LONGEST_MS = 20_000;
/** Most of the first pause, in ms; each further one may be half as long again. */
const FIRST_MS = 1_000;
const GROWTH = 1.5;

/**
 * Says how long to wait before the next try: 0.5 s to 20 s, anywhere between the shortest pause and a bound that grows
 * with every try, so that clients which lost the same hub do not come back in step.
 */
export class Backoff {
  readonly #random: () => number;
  #tries = 0;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** In ms. */
  next(): number {
    const bound = Math.min(LONGEST_MS, FIRST_MS * GROWTH ** this.#tries);
    this.#tries += 1;
    return SHORTEST_MS + this.#random() * (bound - SHORTEST_MS);
  }

  /** What was tried has worked. */
  reset(): void {
    this.#tries = 0;
  }
}
