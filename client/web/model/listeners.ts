/** Those who want to know that something has changed. */
export class Listeners {
  readonly #all = new Set<() => void>();

  /** Calls `listener` after every change, until the function that it gives back is called. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  };

  tell(): void {
    this.#all.forEach((listener) => listener());
  }
}
