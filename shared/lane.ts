interface Waiting<Item, Result> {
  readonly item: Item;
  readonly size: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export interface LaneOptions<Item, Result> {
  /** Sends items as one batch and answers each in its place; a rejection is every item's. */
  readonly send: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly maxItems: number;
  readonly maxBytes: number;
}

/**
 * Sends items in the order in which they were pushed, one batch under way at a time; what is pushed meanwhile is the
 * next batch. Two batches under way could overtake each other as soon as one of them has to be sent again.
 */
export class Lane<Item, Result> {
  readonly #options: LaneOptions<Item, Result>;
  readonly #waiting: Waiting<Item, Result>[] = [];
  #running = false;

  constructor(options: LaneOptions<Item, Result>) {
    this.#options = options;
  }

  /** No batch is under way and none waits. */
  get idle(): boolean {
    return !this.#running && this.#waiting.length === 0;
  }

  /** @param size bytes of the item, as counted against `maxBytes` */
  push(item: Item, size: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, size, resolve, reject });
      if (!this.#running) {
        this.#running = true;
        // A microtask later, so that what one turn pushes leaves as one batch.
        void Promise.resolve().then(() => this.#run());
      }
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#batchLength());
      try {
        const results = await this.#options.send(batch.map(({ item }) => item));
        batch.forEach(({ resolve }, i) => resolve(results[i]!));
      } catch (error) {
        batch.forEach(({ reject }) => reject(error));
      }
    }
    this.#running = false;
  }

  /** At least one, so that an item over `maxBytes` by itself still goes. */
  #batchLength(): number {
    let bytes = 0;
    let length = 0;
    for (const { size } of this.#waiting) {
      bytes += size;
      if (length > 0 && (bytes > this.#options.maxBytes || length === this.#options.maxItems)) break;
      length += 1;
    }
    return length;
  }
}
