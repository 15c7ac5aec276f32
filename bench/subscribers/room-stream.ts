import type { Format } from "../wire/formats.ts";
import type { Frame } from "../wire/frames.ts";
import { DataTemplate } from "../wire/message.ts";

/** A message as a frame carries it. */
export interface MessageRead {
  readonly offset: number;
  readonly number: number;
  readonly at: number;
}

/** Of a frame's end, in which its id, epoch and offset stand, in bytes. */
const LONGEST_TAIL = 180;
/** So much of a room is remembered, in bytes; who is further behind is checked without it. */
const KEEP_BYTES = 16 * 2 ** 20;
/** Of so many numbers it is known whether they came. */
const MOST_NUMBERS = 2 ** 28;

/**
 * What one room's connections of one format in this process have in common: the bytes of its messages, one after the other. Whoever gets a
 * message first has it checked in full; for the others it is enough that they get the same bytes.
 */
export class RoomStream {
  readonly format: Format;
  readonly #template: DataTemplate;
  readonly #keepBytes: number;
  #bytes = Buffer.allocUnsafe(4_096);
  /** Where each remembered frame begins, the last one's end, and when each was to be sent, from `#first` on. */
  #starts: number[] = [0];
  #ats: number[] = [];
  #first = 1;
  #seen = new Uint8Array(1_024);
  /** The highest number that a publisher gave. */
  highest = 0;

  constructor(format: Format, dataBytes: number, keepBytes: number = KEEP_BYTES) {
    this.format = format;
    this.#template = new DataTemplate(dataBytes);
    this.#keepBytes = keepBytes;
  }

  /** The newest message's offset. */
  get top(): number {
    return this.#first + this.#ats.length - 1;
  }

  /** Reads a message's offset and checks everything else; the offset alone if anything else is wrong. */
  read(bytes: Buffer, frame: Frame): MessageRead | { readonly offset: number | undefined } {
    const { offset, data } = this.format.partsOf(bytes, frame, this.#template.bytes);
    const read = data === undefined ? undefined : this.#template.read(bytes, data);
    return read !== undefined && offset !== undefined ? { offset, ...read } : { offset };
  }

  /** The position (PROTOCOL.md, 1) of a remembered message of a socket, to resume from; undefined if it has none. */
  positionOf(offset: number): { epoch: string; offset: number; id: string } | undefined {
    if (!this.has(offset)) return undefined;
    const tail = this.#bytes.toString("utf8", this.endOf(offset) - LONGEST_TAIL, this.endOf(offset));
    const [, id, epoch] = /"id":"([^"]+)","epoch":"([^"]+)","offset":/.exec(tail) ?? [];
    return id === undefined || epoch === undefined ? undefined : { epoch, offset, id };
  }

  has(offset: number): boolean {
    return offset >= this.#first && offset <= this.top;
  }

  /** Where a remembered message's frame begins, or the one after the newest will. */
  startOf(offset: number): number {
    return this.#starts[offset - this.#first]!;
  }

  endOf(offset: number): number {
    return this.#starts[offset - this.#first + 1]!;
  }

  /** When a remembered message was to be sent. */
  atOf(offset: number): number {
    return this.#ats[offset - this.#first]!;
  }

  get end(): number {
    return this.#starts.at(-1)!;
  }

  slice(start: number, end: number): Buffer {
    return this.#bytes.subarray(start, end);
  }

  equals(start: number, bytes: Buffer, from: number, to: number): boolean {
    return this.#bytes.compare(bytes, from, to, start, start + to - from) === 0;
  }

  /** Adds the next message. @returns false if its publisher's number has come before */
  append(frame: Buffer, { offset, number, at }: MessageRead): boolean {
    if (offset !== this.top + 1) this.#restart(offset);
    else if (this.end > 2 * this.#keepBytes) this.#forget();
    const end = this.end + frame.length;
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, this.end);
      this.#bytes = grown;
    }
    frame.copy(this.#bytes, this.end);
    this.#starts.push(end);
    this.#ats.push(at);
    return this.#isNew(number);
  }

  #isNew(number: number): boolean {
    this.highest = Math.max(this.highest, number);
    if (number >= MOST_NUMBERS) return true;
    const [index, bit] = [number >> 3, 1 << (number & 7)];
    if (index >= this.#seen.length) {
      const grown = new Uint8Array(2 * index);
      grown.set(this.#seen);
      this.#seen = grown;
    }
    const isNew = (this.#seen[index]! & bit) === 0;
    this.#seen[index]! |= bit;
    return isNew;
  }

  #restart(offset: number): void {
    this.#first = offset;
    this.#starts = [0];
    this.#ats = [];
  }

  /** Drops the older half. */
  #forget(): void {
    const count = this.#starts.findIndex((start) => start >= this.#keepBytes);
    const cut = this.#starts[count]!;
    this.#bytes.copyWithin(0, cut, this.end);
    this.#starts = this.#starts.slice(count).map((start) => start - cut);
    this.#ats = this.#ats.slice(count);
    this.#first += count;
  }
}
