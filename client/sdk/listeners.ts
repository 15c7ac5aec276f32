type Listener = (...args: never) => void;

/** Who listens to what. */
export class Listeners {
  readonly #listeners = new Map<string, Set<Listener>>();

  add(event: string, listener: Listener): void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
  }

  remove(event: string, listener: Listener): void {
    this.#listeners.get(event)?.delete(listener);
  }

  /** Calls all listeners of an event. */
  tell(event: string, ...args: unknown[]): void {
    // A copy: who is added meanwhile hears the next one.
    [...(this.#listeners.get(event) ?? [])].forEach((listener) => {
      try {
        (listener as (...args: unknown[]) => void)(...args);
      } catch (error) {
        // It is seen as any uncaught error is, and the others still get what they listen to.
        setTimeout(() => {
          throw error;
        });
      }
    });
  }
}
