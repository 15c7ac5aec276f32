/** What must hold, by the names that reports use. */
export const INVARIANTS = {
  M1: "nothing reaches a client outside its memberships",
  I1: "one place in a log is one message, with one content, for everyone",
  I2: "nothing is delivered that was never sent or was definitely refused",
  I3: "every acknowledged message below a subscriber's last one was delivered to it",
  I4: "no message comes twice",
  I5: "offsets grow by one",
  I6: "the acknowledged messages of one publisher keep their order",
  I7: "one id is one place",
  I8: "recovery is honest: recovered means no gap, and every gap is told",
  I9: "after the last fault all subscribers get to the top",
  I12: "what is read back is the log",
  I13: "a log changes its identity only when data may be lost",
} as const;

export type Invariant = keyof typeof INVARIANTS;

/** One thing that is wrong: what was expected, and what was seen. */
export interface Finding {
  readonly invariant: Invariant;
  readonly room: string;
  readonly text: string;
  /** Unix ms. */
  readonly at: number;
}

const EXAMPLES = 5;

/** Counts what is wrong, and keeps the first examples of each kind in each room. */
export class Findings {
  readonly #counts = new Map<Invariant, number>();
  readonly #examples = new Map<string, Finding[]>();

  add(invariant: Invariant, room: string, at: number, text: string): void {
    this.#counts.set(invariant, this.count(invariant) + 1);
    const key = `${invariant} ${room}`;
    const examples = this.#examples.get(key) ?? [];
    if (examples.length < EXAMPLES) this.#examples.set(key, [...examples, { invariant, room, at, text }]);
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  count(invariant: Invariant): number {
    return this.#counts.get(invariant) ?? 0;
  }

  /** The first examples, oldest first. */
  get examples(): readonly Finding[] {
    return [...this.#examples.values()].flat().toSorted((a, b) => a.at - b.at);
  }
}
