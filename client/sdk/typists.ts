import type { From } from "../../shared/message.ts";

/** Others are told so often that somebody types, in ms. */
const SAY_EVERY_MS = 3_000;
/** Somebody of whom nothing is heard any more has stopped after so long, in ms. */
const TYPING_MS = 4_000;

/** Who is typing in a room. */
export class Typists {
  readonly #typists = new Map<string, From>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #publish: () => Promise<unknown>;
  readonly #onChange: (typists: readonly From[]) => void;
  #sayAgainAt = 0;

  /**
   * @param publish tells the others that somebody types here
   * @param onChange hears who is typing now
   */
  constructor(publish: () => Promise<unknown>, onChange: (typists: readonly From[]) => void) {
    this.#publish = publish;
    this.#onChange = onChange;
  }

  get all(): readonly From[] {
    return [...this.#typists.values()];
  }

  /** Tells the others, if they have not just been told; what fails is not missed. */
  say(): void {
    const now = performance.now();
    if (now < this.#sayAgainAt) return;
    this.#sayAgainAt = now + SAY_EVERY_MS;
    this.#publish().catch(() => {});
  }

  /** Somebody types, or still does. */
  add(from: From): void {
    const { user } = from;
    clearTimeout(this.#timers.get(user));
    this.#timers.set(
      user,
      setTimeout(() => this.end(user), TYPING_MS),
    );
    if (this.#typists.has(user)) return;
    this.#typists.set(user, from);
    this.#onChange(this.all);
  }

  /** Somebody has stopped, or never began. */
  end(user: string): void {
    clearTimeout(this.#timers.get(user));
    if (this.#typists.delete(user)) this.#onChange(this.all);
  }

  clear(): void {
    this.#typists.forEach(({ user }) => this.end(user));
  }
}
