/** A store that lost data is noticed by the nodes only after it is back, in ms. */
const NOTICED_MS = 5_000;

interface Loss {
  readonly from: number;
  /** When the store came back without what it had lost; undefined before. */
  back: number | undefined;
  /** Undefined while it lasts. */
  to: number | undefined;
}

/** The times in which acknowledged data may have been lost. */
export class Losses {
  readonly #losses: Loss[] = [];

  begin(at: number): void {
    this.#losses.push({ from: at, back: undefined, to: undefined });
  }

  /** From now on the store may give places anew. */
  return(at: number): void {
    for (const loss of this.#losses) loss.back ??= at;
  }

  end(at: number): void {
    this.return(at);
    for (const loss of this.#losses) loss.to ??= at;
  }

  /** How many have begun by then. */
  until(at: number): number {
    return this.#losses.filter(({ from }) => from <= at).length;
  }

  /** How often the store has come back without its newest messages by then: each time it gives offsets anew. */
  returned(at: number): number {
    return this.#losses.filter(({ back }) => back !== undefined && back <= at).length;
  }

  /** Whether the store came back without its newest messages in between. */
  crossed(from: number, to: number): boolean {
    return this.#losses.some(({ back }) => back !== undefined && from < back && back <= to);
  }

  /** Whether one may explain that what was true at `from` is not at `to`. */
  between(from: number, to: number): boolean {
    return this.#losses.some(
      (loss) => loss.from <= to && from <= (loss.to ?? Number.POSITIVE_INFINITY) + NOTICED_MS,
    );
  }
}
