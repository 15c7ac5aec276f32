import { isUtf8 } from "node:buffer";
import { HubError } from "../../../shared/errors.ts";
import { utf8Length } from "../../../shared/utf8.ts";

const NEWLINE = 0x0a;

/** One line without its end, or why it can't be read. */
export type Line = string | HubError;

/** Cuts a stream of bytes into lines, and holds no more than one line of it from one chunk to the next. */
export class LineSplitter {
  readonly #maxBytes: number;
  /** The beginning of a line; none of it is kept once it is too long. */
  #pieces: Buffer[] = [];
  #length = 0;

  /** @param maxBytes longest line; of a longer one nothing is kept */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes and gives the lines that end in them. */
  push(chunk: Buffer): Line[] {
    const end = chunk.lastIndexOf(NEWLINE);
    const lines = end < 0 ? [] : this.#cut(chunk.subarray(0, end));
    const beginning = chunk.subarray(end + 1);
    this.#length += beginning.length;
    if (this.#length > this.#maxBytes) this.#pieces = [];
    else if (beginning.length > 0) this.#pieces.push(beginning);
    return lines;
  }

  /** Gives the last line, if it has no end of its own. */
  end(): Line[] {
    return this.#length === 0 ? [] : this.#cut(Buffer.alloc(0));
  }

  /** Gives the lines of what is held and what follows it, up to a line's end. */
  #cut(block: Buffer): Line[] {
    const [pieces, length] = [this.#pieces, this.#length];
    this.#pieces = [];
    this.#length = 0;
    if (length <= this.#maxBytes) {
      return this.#linesOf(pieces.length === 0 ? block : Buffer.concat([...pieces, block]));
    }
    const end = block.indexOf(NEWLINE);
    return [this.#tooLong(), ...(end < 0 ? [] : this.#linesOf(block.subarray(end + 1)))];
  }

  #linesOf(block: Buffer): Line[] {
    // Together a line takes 0.07 us, decoded by itself 0.57.
    if (isUtf8(block)) {
      const lines = block.toString().split("\n");
      if (block.length <= this.#maxBytes) return lines;
      return lines.map((line) => (utf8Length(line) > this.#maxBytes ? this.#tooLong() : line));
    }
    return bytesOfLines(block).map((line) => {
      if (line.length > this.#maxBytes) return this.#tooLong();
      return isUtf8(line) ? line.toString() : new HubError("bad_request", "the line must be UTF-8");
    });
  }

  #tooLong(): HubError {
    return new HubError("too_large", `the line takes more than ${this.#maxBytes} bytes`);
  }
}

function bytesOfLines(block: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, start)) {
    lines.push(block.subarray(start, end));
    start = end + 1;
  }
  lines.push(block.subarray(start));
  return lines;
}
