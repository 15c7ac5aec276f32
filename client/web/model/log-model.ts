import type { Message } from "../../../shared/message.ts";
import type { Gap } from "../../../shared/protocol.ts";
import type { Schedule } from "./frames.ts";
import { Listeners } from "./listeners.ts";
import { compileFilter, EVERYTHING, type LogFilter, type LogQuery } from "./log-filter.ts";
import { gapRow, rowOf, type Arrival, type LogRow } from "./log-row.ts";

/** Rows that the page holds. */
export const MOST_ROWS = 10_000;

type Incoming = { readonly arrival: Arrival } | { readonly gap: Gap; readonly time: number };

/**
 * A log as a page shows it: a run of rows without holes of its own making, its newest end where the reader stands.
 *
 * While the reader has paused, or has scrolled up in a full page, what arrives is held back and counted. If more is held
 * than the page can hold, letting it in starts the run afresh at what is held; the rows between are in the history.
 */
export class LogModel {
  readonly #listeners = new Listeners();
  readonly subscribe = this.#listeners.subscribe;
  readonly #schedule: Schedule;
  readonly #mostRows: number;
  #incoming: Incoming[] = [];
  #unschedule: (() => void) | undefined;
  #rows: LogRow[] = [];
  #shown: LogRow[] = [];
  readonly #held: LogRow[] = [];
  #heldDropped = 0;
  #newestKey = 0;
  /** The newest row when the reader left the end. */
  #seenKey = 0;
  #oldestKey = 0;
  #query = EVERYTHING;
  #filter = compileFilter(EVERYTHING);
  #paused = false;
  #following = true;
  #complete = false;
  #joined = false;

  constructor(schedule: Schedule, mostRows: number = MOST_ROWS) {
    this.#schedule = schedule;
    this.#mostRows = mostRows;
  }

  /** The rows that the filter lets through, oldest first. */
  get shown(): readonly LogRow[] {
    return this.#shown;
  }

  get total(): number {
    return this.#rows.length;
  }

  /** Rows that have come since the reader paused or scrolled up, shown below or held back. */
  get behind(): number {
    return this.following ? 0 : this.#newestKey - this.#seenKey;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Whether the newest row stays in sight. */
  get following(): boolean {
    return this.#following && !this.#paused;
  }

  get query(): LogQuery {
    return this.#query;
  }

  get filter(): LogFilter {
    return this.#filter;
  }

  /** There is nothing older to fetch. */
  get complete(): boolean {
    return this.#complete;
  }

  get full(): boolean {
    return this.#rows.length >= this.#mostRows;
  }

  /** Where older rows are to be fetched before; undefined if there are none, or they would not fit. */
  get olderThan(): LogRow["place"] {
    const first = this.#rows[0];
    return !this.#joined || this.#complete || this.full ? undefined : first?.place;
  }

  receive(arrival: Arrival): void {
    this.#take({ arrival });
  }

  gap(gap: Gap, time: number): void {
    this.#take({ gap, time });
  }

  /** Adds a page of history before the oldest row. */
  prepend(messages: readonly Message[], complete: boolean): void {
    this.#complete ||= complete || messages.length === 0;
    const room = this.#mostRows - this.#rows.length;
    const older = messages.slice(Math.max(0, messages.length - room));
    this.#oldestKey -= older.length;
    const rows = older.map((message, index) =>
      rowOf(this.#oldestKey + index, { event: message.event, data: message.data, meta: message }),
    );
    this.#rows = [...rows, ...this.#rows];
    this.#shown = [...rows.filter((row) => this.#filter.shows(row)), ...this.#shown];
    this.#listeners.tell();
  }

  /** What the room had to begin with is here: all of it, or its newest part. */
  joined(complete: boolean): void {
    this.flush();
    this.#joined = true;
    this.#complete ||= complete;
    this.#listeners.tell();
  }

  /** Says that there is nothing older. */
  end(): void {
    this.#complete = true;
    this.#listeners.tell();
  }

  /** Holds back what arrives from now on, or lets it in and goes on. */
  setPaused(paused: boolean): void {
    this.flush();
    if (this.following) this.#seenKey = this.#newestKey;
    this.#paused = paused;
    if (!paused) this.#following = true;
    this.#admit();
    this.#listeners.tell();
  }

  /** The reader stands at the newest row, or somewhere above. */
  setFollowing(following: boolean): void {
    if (following === this.#following) return;
    if (this.following) this.#seenKey = this.#newestKey;
    this.#following = following;
    this.#admit();
    this.#listeners.tell();
  }

  setQuery(query: LogQuery): void {
    this.#query = query;
    this.#filter = compileFilter(query);
    this.#shown = this.#rows.filter((row) => this.#filter.shows(row));
    this.#listeners.tell();
  }

  /** Takes in what has arrived since the last frame. */
  flush(): void {
    this.#unschedule?.();
    this.#unschedule = undefined;
    if (this.#incoming.length === 0) return;
    const incoming = this.#incoming;
    this.#incoming = [];
    for (const one of incoming) {
      this.#newestKey += 1;
      const key = this.#newestKey;
      this.#held.push("gap" in one ? gapRow(key, one.gap, one.time) : rowOf(key, one.arrival));
    }
    this.#admit();
    this.#boundHeld();
    this.#listeners.tell();
  }

  close(): void {
    this.#unschedule?.();
  }

  #take(incoming: Incoming): void {
    this.#incoming.push(incoming);
    // Frames may be far apart in a page that nobody sees.
    if (this.#incoming.length > this.#mostRows) this.flush();
    else this.#unschedule ??= this.#schedule(() => this.flush());
  }

  /** Lets rows in that need not wait. */
  #admit(): void {
    if (this.#paused) return;
    // Rows under the eyes of a reader who has scrolled up are not taken away.
    const free = this.#following ? this.#held.length : this.#mostRows - this.#rows.length;
    if (this.#heldDropped > 0 && !this.#following) return;
    if (this.#heldDropped > 0) {
      this.#rows = [];
      this.#shown = [];
      this.#heldDropped = 0;
      this.#complete = false;
    }
    const rows = this.#held.splice(0, Math.max(0, free));
    for (const row of rows) {
      this.#rows.push(row);
      if (this.#filter.shows(row)) this.#shown.push(row);
    }
    this.#trim();
  }

  #trim(): void {
    const excess = this.#rows.length - this.#mostRows;
    if (excess <= 0) return;
    this.#rows.splice(0, excess);
    const first = this.#rows[0]!.key;
    const gone = this.#shown.findIndex(({ key }) => key >= first);
    this.#shown.splice(0, gone < 0 ? this.#shown.length : gone);
    // What was taken away can be fetched again.
    this.#complete = false;
  }

  #boundHeld(): void {
    const excess = this.#held.length - this.#mostRows;
    if (excess <= 0) return;
    this.#held.splice(0, excess);
    this.#heldDropped += excess;
  }
}
