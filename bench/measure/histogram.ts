/** Each step is 1 % wider than the one before, from 1 µs to about 70 min. */
const STEP = Math.log(1.01);
const STEPS = 2_200;

/** Counts times in µs, within 1 %. */
export class Histogram {
  readonly counts: Uint32Array;

  constructor(counts: Uint32Array = new Uint32Array(STEPS)) {
    this.counts = counts;
  }

  add(micros: number): void {
    const step = micros <= 1 ? 0 : Math.min(STEPS - 1, Math.round(Math.log(micros) / STEP));
    this.counts[step]! += 1;
  }

  merge(counts: Uint32Array): void {
    counts.forEach((count, step) => (this.counts[step]! += count));
  }

  clear(): void {
    this.counts.fill(0);
  }

  /** The time in ms that this part of all times does not exceed; NaN if there are none. @param part from 0 to 1 */
  percentile(part: number): number {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    let left = Math.max(1, Math.ceil(part * total));
    for (const [step, count] of this.counts.entries()) {
      left -= count;
      if (left <= 0) return Math.exp(step * STEP) / 1_000;
    }
    return Number.NaN;
  }
}
