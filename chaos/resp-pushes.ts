const CR = 0x0d;
/** `:` `+` `-` `_` `,` `#` `(` end with their line; these are followed by so many bytes … */
const BLOBS = new Set("$!=".split("").map((type) => type.charCodeAt(0)));
/** … and these by so many values, `%` and `|` by so many pairs. */
const AGGREGATES = new Map(
  Object.entries({ "*": 1, "~": 1, ">": 1, "%": 2, "|": 2 }).map(([type, each]) => [
    type.charCodeAt(0),
    each,
  ]),
);
const ATTRIBUTE = "|".charCodeAt(0);
const PUSH = ">".charCodeAt(0);
/** What a subscription brings; confirmations of subscriptions are pushes too, and are answers all the same. */
const MESSAGE = /^>\d+\r\n\$\d+\r\n[sp]?message\r\n/;
const LONGEST_OPENING = 40;

/**
 * Cuts what a Redis sends over one connection (RESP2 or RESP3) into whole values, so that the messages of subscriptions
 * can be taken out and all answers stay. It has to see the connection from its first byte.
 *
 * Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class RespPushes {
  #buffer: Buffer = Buffer.alloc(0);
  /** Where the first whole value in the buffer begins, and up to where it is read. */
  #start = 0;
  #next = 0;
  /** Values that are still due before the one at `#start` is whole. */
  #due = 1;

  /** Takes a piece and gives the whole values that it completes, each with whether it is a message. */
  *take(piece: Buffer): Generator<{ readonly bytes: Buffer; readonly isMessage: boolean }> {
    this.#buffer = Buffer.concat([this.#buffer.subarray(this.#start), piece]);
    this.#next -= this.#start;
    this.#start = 0;
    while (this.#readOne()) {
      if (this.#due > 0) continue;
      const bytes = this.#buffer.subarray(this.#start, this.#next);
      yield {
        bytes,
        isMessage: bytes[0] === PUSH && MESSAGE.test(bytes.toString("latin1", 0, LONGEST_OPENING)),
      };
      this.#start = this.#next;
      this.#due = 1;
    }
  }

  /** Reads the next value, or the opening of an aggregate; false if it is not all there. */
  #readOne(): boolean {
    const lineEnd = this.#buffer.indexOf(CR, this.#next);
    if (lineEnd < 0 || lineEnd + 2 > this.#buffer.length) return false;
    const type = this.#buffer[this.#next]!;
    const count = Number(this.#buffer.toString("latin1", this.#next + 1, lineEnd));
    let end = lineEnd + 2;
    let opened = 0;
    const each = AGGREGATES.get(type);
    if (BLOBS.has(type) && count >= 0) {
      end += count + 2;
      if (end > this.#buffer.length) return false;
    } else if (each !== undefined && count > 0) opened = count * each;
    this.#next = end;
    // An attribute stands before the value that it belongs to, and is none itself.
    this.#due += opened - (type === ATTRIBUTE ? 0 : 1);
    return true;
  }
}
