const LF = 10;
const CR = 13;
const FIRST_BYTES = 1_024;

/** One line of a program's output, without its end. */
export interface Line {
  /** Bytes that are no UTF-8 are U+FFFD. */
  readonly text: string;
  /** How long the whole line is; `text` may have only its beginning. */
  readonly bytes: number;
  /** Only the beginning was kept. */
  readonly isCut: boolean;
  /** How many bytes of input there are up to the end of this line, its line end included. */
  readonly end: number;
}

/**
 * Makes lines of bytes that come in any pieces. A line ends with LF or CRLF; a CR within it begins it again, as on a
 * terminal, so of a progress bar the last state remains. No more than `maxBytes` of a line are kept.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  /** The beginning of the line that has no end yet; whole characters come together here before they are decoded. */
  #held: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #bytes = 0;
  #consumed = 0;
  /** A CR came last: the line ends, or begins again. */
  #returned = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    for (let from = 0; from < chunk.length;) {
      const lf = chunk.indexOf(LF, from);
      const to = lf < 0 ? chunk.length : lf;
      this.#take(chunk.subarray(from, to));
      const next = lf < 0 ? to : to + 1;
      this.#consumed += next - from;
      if (lf >= 0) lines.push(this.#line());
      from = next;
    }
    return lines;
  }

  /** Gives what the input ends with, if that has no line end. */
  end(): Line[] {
    return this.#bytes > 0 ? [this.#line()] : [];
  }

  #take(piece: Buffer): void {
    let to = piece.length;
    while (to > 0 && piece[to - 1] === CR) to -= 1;
    const returns = to < piece.length;
    if (to > 0) {
      const cr = piece.lastIndexOf(CR, to - 1);
      if (cr >= 0 || this.#returned) this.#bytes = 0;
      this.#hold(piece.subarray(cr + 1, to));
    }
    this.#returned = returns || (to === 0 && this.#returned);
  }

  #hold(piece: Buffer): void {
    const kept = Math.min(piece.length, this.#maxBytes - this.#bytes);
    if (kept > 0) {
      if (this.#bytes + kept > this.#held.length) this.#grow(this.#bytes + kept);
      piece.copy(this.#held, this.#bytes, 0, kept);
    }
    this.#bytes += piece.length;
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(bytes, this.#held.length * 2)));
    this.#held.copy(larger);
    this.#held = larger;
  }

  #line(): Line {
    const bytes = this.#bytes;
    const text = this.#held.toString("utf8", 0, Math.min(bytes, this.#maxBytes));
    this.#bytes = 0;
    this.#returned = false;
    return { text, bytes, isCut: bytes > this.#maxBytes, end: this.#consumed };
  }
}
