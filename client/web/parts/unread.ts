/** Counts in the title what has come while nobody looked. */
export class Unread {
  #title = "";
  #count = 0;

  /** @param title the page's own */
  start(title: string): void {
    this.#title = title;
    document.addEventListener("visibilitychange", this.#look);
    addEventListener("focus", this.#look);
    this.#show();
  }

  add(): void {
    if (document.visibilityState === "visible" && document.hasFocus()) return;
    this.#count += 1;
    this.#show();
  }

  close(): void {
    document.removeEventListener("visibilitychange", this.#look);
    removeEventListener("focus", this.#look);
  }

  readonly #look = (): void => {
    if (document.visibilityState !== "visible") return;
    this.#count = 0;
    this.#show();
  };

  #show(): void {
    document.title = this.#count === 0 ? this.#title : `(${this.#count}) ${this.#title}`;
  }
}
