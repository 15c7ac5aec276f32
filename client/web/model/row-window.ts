/** Heights of rows that are gone are forgotten when there are so many too many. */
const SPARE_HEIGHTS = 1_000;

/** Which rows of a long list are in sight, for rows of different heights. All lengths are in CSS pixels. */
export class RowWindow {
  #keys: readonly { readonly key: number }[] = [];
  /** Only heights that differ from the usual one. */
  readonly #heights = new Map<number, number>();
  #tops = new Float64Array(1);
  #usual: number;
  #stale = true;

  constructor(usual: number) {
    this.#usual = usual;
  }

  /** Sets the rows, oldest first; their keys grow. */
  setRows(rows: readonly { readonly key: number }[]): void {
    this.#keys = rows;
    this.#stale = true;
    if (this.#heights.size > 2 * rows.length + SPARE_HEIGHTS) this.#forgetGone();
  }

  /** Notes how high a row really is; tells whether that is news. */
  measure(key: number, height: number): boolean {
    const known = this.#heights.get(key) ?? this.#usual;
    if (Math.abs(known - height) < 0.5) return false;
    this.#heights.set(key, height);
    this.#stale = true;
    return true;
  }

  /** Forgets all measures, since the rows look different now. */
  reset(usual: number): void {
    this.#usual = usual;
    this.#heights.clear();
    this.#stale = true;
  }

  /** The height of all rows. */
  get height(): number {
    return this.#layout()[this.#keys.length]!;
  }

  /** Where a row begins. */
  top(index: number): number {
    return this.#layout()[Math.max(0, Math.min(index, this.#keys.length))]!;
  }

  /** The row at a place; the first or the last one outside of all rows. */
  indexAt(y: number): number {
    const tops = this.#layout();
    let low = 0;
    let high = this.#keys.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (tops[middle]! <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  /** The row with a key, or the next one that is there; the last if there is none. */
  indexOf(key: number): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#keys[middle]!.key < key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, Math.min(low, this.#keys.length - 1));
  }

  /** The rows [from, to) that are in sight, and some around them. */
  range(scrollTop: number, viewHeight: number, around: number): readonly [number, number] {
    if (this.#keys.length === 0) return [0, 0];
    const from = this.indexAt(scrollTop) - around;
    const to = this.indexAt(scrollTop + viewHeight) + 1 + around;
    return [Math.max(0, from), Math.min(this.#keys.length, to)];
  }

  #forgetGone(): void {
    const first = this.#keys[0]?.key ?? Number.POSITIVE_INFINITY;
    for (const key of this.#heights.keys()) if (key < first) this.#heights.delete(key);
  }

  #layout(): Float64Array {
    if (!this.#stale) return this.#tops;
    const count = this.#keys.length;
    if (this.#tops.length <= count) this.#tops = new Float64Array(Math.ceil((count + 1) * 1.5));
    let top = 0;
    for (let index = 0; index < count; index += 1) {
      this.#tops[index] = top;
      top += this.#heights.get(this.#keys[index]!.key) ?? this.#usual;
    }
    this.#tops[count] = top;
    this.#stale = false;
    return this.#tops;
  }
}
