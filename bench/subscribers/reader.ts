import type { Frame } from "../wire/frames.ts";
import type { RoomStream } from "./room-stream.ts";

/** What is wrong with what a socket got. */
export interface Faults {
  holes: number;
  doubles: number;
  payloads: number;
  /** The first few, in words. */
  readonly examples: string[];
}

export interface ReaderOptions {
  /** The offset that must come first. */
  readonly next?: number;
  /** Gets frames that are no messages: pings, acknowledgements, the end (undefined). */
  readonly onPacket?: (packet: string | undefined) => void;
  /** Gets each message's time from its sending, in µs. */
  readonly onLatency?: (micros: number) => void;
}

const MOST_EXAMPLES = 5;
const NOTHING = Buffer.alloc(0);

export function noFaults(): Faults {
  return { holes: 0, doubles: 0, payloads: 0, examples: [] };
}

/** Checks one socket's bytes: every message of its room once, in order, and as it was published. */
export class Reader {
  readonly #stream: RoomStream;
  readonly #faults: Faults;
  readonly #onPacket: (packet: string | undefined) => void;
  readonly #onLatency: ((micros: number) => void) | undefined;
  /** The offset that comes next; all before it came. */
  next: number;
  /** The part of a frame that has come so far … */
  #carry: Buffer = NOTHING;
  /** … and whether the stream has the same at the place of the next one. */
  #carryIsKnown = true;

  constructor(stream: RoomStream, faults: Faults, options: ReaderOptions = {}) {
    this.#stream = stream;
    this.#faults = faults;
    this.#onPacket = options.onPacket ?? (() => {});
    this.#onLatency = options.onLatency;
    this.next = options.next ?? 1;
  }

  /** Takes what one read of the socket brought; the bytes are not used after the call. @param now in µs */
  take(chunk: Buffer, now: number): void {
    const stream = this.#stream;
    let done = 0;
    if (this.#carryIsKnown && stream.has(this.next)) {
      const start = stream.startOf(this.next) + this.#carry.length;
      const length = Math.min(chunk.length, stream.end - start);
      if (stream.equals(start, chunk, 0, length)) {
        done = length;
        this.#reach(start + length, now);
      }
    }
    if (done < chunk.length) this.#frameByFrame(chunk.subarray(done), now);
  }

  /** The connection is gone and another one takes its place: what was half is forgotten. */
  reconnected(): void {
    this.#keep(NOTHING, true);
  }

  /** All bytes of the stream up to this place have come. */
  #reach(place: number, now: number): void {
    const stream = this.#stream;
    while (stream.has(this.next) && stream.endOf(this.next) <= place) this.#came(stream.atOf(this.next), now);
    const begun = stream.has(this.next) ? stream.startOf(this.next) : place;
    this.#keep(begun === place ? NOTHING : Buffer.from(stream.slice(begun, place)), true);
  }

  #frameByFrame(chunk: Buffer, now: number): void {
    const bytes = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]);
    let at = 0;
    const { format } = this.#stream;
    for (let frame = format.frameAt(bytes, 0); frame !== undefined; frame = format.frameAt(bytes, at)) {
      this.#take(bytes, frame, now);
      at = frame.end;
    }
    const rest = bytes.subarray(at);
    this.#keep(rest.length === 0 ? NOTHING : Buffer.from(rest), this.#isNextsBeginning(rest));
  }

  #keep(carry: Buffer, isKnown: boolean): void {
    this.#carry = carry;
    this.#carryIsKnown = isKnown;
  }

  #isNextsBeginning(rest: Buffer): boolean {
    if (rest.length === 0) return true;
    if (!this.#stream.has(this.next)) return false;
    const start = this.#stream.startOf(this.next);
    const known = this.#stream.endOf(this.next) - start;
    return rest.length < known && this.#stream.equals(start, rest, 0, rest.length);
  }

  #take(bytes: Buffer, frame: Frame, now: number): void {
    const { isEnd, start, payload, end } = frame;
    if (isEnd) return this.#onPacket(undefined);
    const stream = this.#stream;
    if (!stream.format.isMessage(bytes, frame)) return this.#onPacket(bytes.toString("utf8", payload, end));
    if (stream.has(this.next)) {
      const known = stream.startOf(this.next);
      const same = end - start === stream.endOf(this.next) - known && stream.equals(known, bytes, start, end);
      if (same) return this.#came(stream.atOf(this.next), now);
    }
    const read = stream.read(bytes, frame);
    if (read.offset === undefined) return this.#fault("payloads", "a message has no offset");
    if (read.offset < this.next)
      return this.#fault("doubles", `message ${read.offset} came after ${this.next - 1}`);
    if (read.offset > this.next) {
      this.#fault("holes", `message ${read.offset} came instead of ${this.next}`);
      this.next = read.offset;
    }
    if (!("number" in read)) {
      this.#fault("payloads", `message ${read.offset} is not what was published`);
      this.next += 1;
      return;
    }
    if (stream.has(read.offset)) {
      const known = stream.startOf(read.offset);
      if (end - start !== stream.endOf(read.offset) - known || !stream.equals(known, bytes, start, end))
        this.#fault("payloads", `message ${read.offset} differs between two sockets`);
    } else if (read.offset > stream.top && !stream.append(bytes.subarray(start, end), read)) {
      this.#fault("doubles", `what was published as ${read.number} came again as message ${read.offset}`);
    }
    this.#came(read.at, now);
  }

  #came(at: number, now: number): void {
    this.next += 1;
    this.#onLatency?.(now - at);
  }

  #fault(kind: "holes" | "doubles" | "payloads", example: string): void {
    this.#faults[kind] += 1;
    if (this.#faults.examples.length < MOST_EXAMPLES) this.#faults.examples.push(example);
  }
}
