import { listOf } from "./people-text.ts";
import { Listeners } from "./listeners.ts";

/** A source says that it is live every 5 s; one that has missed two has gone without a word, in ms. */
const LIVE_MS = 12_000;

/** What the programs that send into a log are doing, as far as they say it. */
export class SourceStates {
  readonly #listeners = new Listeners();
  readonly subscribe = this.#listeners.subscribe;
  /** When each was last heard of, in ms of `now`. */
  readonly #live = new Map<string, number>();
  readonly #ended = new Set<string>();
  readonly #now: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Takes a message of the room; tells whether it says no more than how its source is. */
  receive(event: string, data: unknown, isEphemeral: boolean): boolean {
    const isBeat = event === "source" && isEphemeral;
    const { program, state } = (data ?? {}) as { readonly program?: unknown; readonly state?: unknown };
    if (typeof program === "string" && program !== "") {
      if (isBeat && state === "live") this.#begin(program);
      else if (event === "exit" || (isBeat && state === "ended")) this.#end(program);
    }
    return isBeat;
  }

  /** `live: make, tests`, `ended`, or nothing where nothing is known. */
  get text(): string {
    const live = [...this.#live.keys()];
    const ended = [...this.#ended];
    if (live.length === 0) return ended.length === 0 ? "" : "ended";
    return `live: ${listOf(live)}${ended.length === 0 ? "" : `; ended: ${listOf(ended)}`}`;
  }

  get isLive(): boolean {
    return this.#live.size > 0;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #begin(program: string): void {
    const isNews = !this.#live.has(program);
    this.#live.set(program, this.#now());
    this.#ended.delete(program);
    this.#look();
    if (isNews) this.#listeners.tell();
  }

  #end(program: string): void {
    if (this.#ended.has(program)) return;
    this.#live.delete(program);
    this.#ended.add(program);
    this.#listeners.tell();
  }

  /** Forgets those of whom nothing has been heard for too long, and looks again when the next one may be. */
  readonly #look = (): void => {
    clearTimeout(this.#timer);
    const now = this.#now();
    const silent = [...this.#live].filter(([, at]) => now - at >= LIVE_MS);
    silent.forEach(([program]) => this.#live.delete(program));
    if (silent.length > 0) this.#listeners.tell();
    if (this.#live.size === 0) return;
    this.#timer = setTimeout(this.#look, Math.min(...this.#live.values()) + LIVE_MS - now);
  };
}
