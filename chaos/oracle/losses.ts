/** A store that lost data is noticed by the nodes only after it is back, in ms. */
const NOTICED_MS = 5_000;

interface Loss {
  readonly from: number;
  /** Undefined while it lasts. */
  to: number | undefined;
}

/** The times in which acknowledged data may have been lost. */
export class Losses {
  readonly #losses: Loss[] = [];

  begin(at: number): void {
    this.#losses.push({ from: at, to: undefined });
  }

  end(at: number): void {
    for (const loss of this.#losses) loss.to ??= at;
  }

  /** How many have begun by then. */
  until(at: number): number {
    return this.#losses.filter(({ from }) => from <= at).length;
  }

  /** Whether one may explain that what was true at `from` is not at `to`. */
  between(from: number, to: number): boolean {
    return this.#losses.some(
      (loss) => loss.from <= to && from <= (loss.to ?? Number.POSITIVE_INFINITY) + NOTICED_MS,
    );
  }
}
