import type { LogModel } from "../model/log-model.ts";
import type { LogRow } from "../model/log-row.ts";
import { RowWindow } from "../model/row-window.ts";

/** The height of most rows, as the style sheet has it, in px: of one line, or of two where that is all there is room for. */
const ROW_HEIGHT = 20;
const NARROW_ROW_HEIGHT = 44;
const NARROW = 640;
/** Rows that are drawn above and below what is in sight. */
const AROUND = 12;
const NEAR_END = 30;
/** So near to the top older rows are fetched, in px. */
const NEAR_TOP = 600;

/**
 * Keeps a list of rows where its reader is: at the newest row, or at the row that is being read, whatever comes above or
 * goes, and however high rows turn out to be.
 */
export class LogScroll {
  readonly #window = new RowWindow(ROW_HEIGHT);
  readonly #model: LogModel;
  readonly #draw: () => void;
  readonly #onOlder: () => Promise<void>;
  #rows: readonly LogRow[] = [];
  #list: HTMLElement | undefined;
  /** The row at the top, and how much of it is out of sight. */
  #anchor: { readonly key: number; readonly hidden: number } | undefined;
  #scrollTop = 0;
  #viewHeight = 0;
  #width = 0;
  #loading = false;

  constructor(model: LogModel, draw: () => void, onOlder: () => Promise<void>) {
    this.#model = model;
    this.#draw = draw;
    this.#onOlder = onOlder;
  }

  attach(list: HTMLElement): void {
    this.#list = list;
    this.resize();
  }

  setRows(rows: readonly LogRow[]): void {
    this.#rows = rows;
    this.#window.setRows(rows);
  }

  /** The rows [from, to) that are to be drawn. */
  range(): readonly [number, number] {
    return this.#window.range(this.#target(), this.#viewHeight, AROUND);
  }

  get height(): number {
    return this.#window.height;
  }

  top(index: number): number {
    return this.#window.top(index);
  }

  /** Takes the heights of the rows that are drawn. */
  measure(block: HTMLElement): void {
    let isNews = false;
    for (const element of block.children as unknown as Iterable<HTMLElement>) {
      isNews = this.#window.measure(Number(element.dataset["key"]), element.offsetHeight) || isNews;
    }
    if (isNews) this.#draw();
  }

  /** Scrolls to where the reader is, after a change. */
  settle(): void {
    const list = this.#list!;
    const target = this.#target();
    if (Math.abs(list.scrollTop - target) > 0.5) list.scrollTop = target;
    this.#scrollTop = list.scrollTop;
    this.#older();
  }

  scrolled(): void {
    const list = this.#list!;
    const { scrollTop, scrollHeight, clientHeight } = list;
    if (scrollTop === this.#scrollTop) return;
    const wentUp = scrollTop < this.#scrollTop;
    this.#scrollTop = scrollTop;
    this.#takeAnchor();
    const isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    // A list that has just grown is not one that was scrolled up.
    if (isAtEnd || wentUp) this.#model.setFollowing(isAtEnd);
    this.#draw();
  }

  resize(): void {
    this.#viewHeight = this.#list!.clientHeight;
    if (this.#list!.clientWidth !== this.#width) this.reset();
    else this.#draw();
  }

  /** Rows look different now. */
  reset(): void {
    this.#width = this.#list!.clientWidth;
    this.#window.reset(this.#width <= NARROW ? NARROW_ROW_HEIGHT : ROW_HEIGHT);
    this.#draw();
  }

  toEnd(): void {
    this.#model.setFollowing(true);
    this.#draw();
  }

  /** Brings a row into sight; tells whether it is there. */
  show(offset: number): boolean {
    const index = this.#indexOf(offset);
    if (index < 0) return false;
    const top = this.#window.top(index);
    const isInSight = top >= this.#scrollTop && top + ROW_HEIGHT <= this.#scrollTop + this.#viewHeight;
    if (isInSight && this.#anchor !== undefined) return true;
    this.#model.setFollowing(false);
    const at = Math.max(0, top - this.#viewHeight / 3);
    const first = this.#window.indexAt(at);
    this.#anchor = { key: this.#rows[first]!.key, hidden: at - this.#window.top(first) };
    this.#draw();
    return true;
  }

  rowOf(offset: number | undefined): LogRow | undefined {
    return offset === undefined ? undefined : this.#rows[this.#indexOf(offset)];
  }

  /** The next row up or down that has an offset. */
  beside(row: LogRow, step: 1 | -1): LogRow | undefined {
    for (let index = this.#rows.indexOf(row) + step; ; index += step) {
      const next = this.#rows[index];
      if (next === undefined || next.place !== undefined) return next;
    }
  }

  firstInSight(): LogRow | undefined {
    const [from, to] = this.#window.range(this.#scrollTop, this.#viewHeight, 0);
    return this.#rows.slice(from + 1, to).find(({ place }) => place !== undefined) ?? this.#rows[from];
  }

  /** The newest row with an offset: after a new log began, the same offset may be there twice. */
  #indexOf(offset: number): number {
    return this.#rows.findLastIndex(({ place }) => place?.offset === offset);
  }

  #target(): number {
    const last = Math.max(0, this.#window.height - this.#viewHeight);
    if (this.#model.following) return last;
    if (this.#anchor === undefined) return Math.min(this.#scrollTop, last);
    const index = this.#window.indexOf(this.#anchor.key);
    const isThere = this.#rows[index]?.key === this.#anchor.key;
    return Math.max(0, Math.min(last, this.#window.top(index) + (isThere ? this.#anchor.hidden : 0)));
  }

  #takeAnchor(): void {
    const index = this.#window.indexAt(this.#scrollTop);
    const row = this.#rows[index];
    this.#anchor = row && { key: row.key, hidden: this.#scrollTop - this.#window.top(index) };
  }

  #older(): void {
    if (this.#loading || this.#scrollTop > NEAR_TOP || this.#model.olderThan === undefined) return;
    // While the page is at its end, a short list is one that is just beginning, or one that a filter has shortened.
    this.#takeAnchor();
    this.#loading = true;
    this.#onOlder()
      .then(() => (this.#loading = false))
      // The next scroll asks again, but not at once.
      .catch(() => setTimeout(() => (this.#loading = false), 1_000));
  }
}
