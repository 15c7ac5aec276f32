/** The event of every message. */
export const EVENT = "message";

const NUMBER_DIGITS = 12;
const TIME_DIGITS = 16;
const BEFORE_NUMBER = '{"n":"';
const BEFORE_TIME = '","at":"';
const BEFORE_TEXT = '","text":"';
const AFTER_TEXT = '"}';
const LEAST_BYTES =
  [BEFORE_NUMBER, BEFORE_TIME, BEFORE_TEXT, AFTER_TEXT].join("").length + NUMBER_DIGITS + TIME_DIGITS;

/** The data of one message, as a publisher that needs an object hands it over. */
export interface Data {
  readonly n: string;
  readonly at: string;
  readonly text: string;
}

/** What a message's data says: the number that its publisher gave it, and when it was to be sent, in µs of `nowMicros`. */
export interface DataRead {
  readonly number: number;
  readonly at: number;
}

/** Makes and checks data of one size: everything but number and time is the same in each. */
export class DataTemplate {
  readonly bytes: number;
  readonly #text: string;
  readonly #beforeTime = Buffer.from(BEFORE_TIME);
  readonly #beforeNumber = Buffer.from(BEFORE_NUMBER);
  readonly #end: Buffer;

  /** @param bytes of the JSON text, at least 54 */
  constructor(bytes: number) {
    if (bytes < LEAST_BYTES) throw new RangeError(`a message's data has at least ${LEAST_BYTES} bytes`);
    this.bytes = bytes;
    this.#text = "the quick brown fox jumps over the lazy dog, "
      .repeat(bytes / 45 + 1)
      .slice(0, bytes - LEAST_BYTES);
    this.#end = Buffer.from(`${BEFORE_TEXT}${this.#text}${AFTER_TEXT}`);
  }

  object(number: number, at: number): Data {
    return { n: digits(number, NUMBER_DIGITS), at: digits(at, TIME_DIGITS), text: this.#text };
  }

  json(number: number, at: number): string {
    const head = `${BEFORE_NUMBER}${digits(number, NUMBER_DIGITS)}${BEFORE_TIME}${digits(at, TIME_DIGITS)}`;
    return `${head}${BEFORE_TEXT}${this.#text}${AFTER_TEXT}`;
  }

  /** Reads the data that begins at `start`; undefined if any of its bytes is not what a publisher wrote. */
  read(bytes: Buffer, start: number): DataRead | undefined {
    const numberAt = start + BEFORE_NUMBER.length;
    const timeAt = numberAt + NUMBER_DIGITS + BEFORE_TIME.length;
    const endAt = timeAt + TIME_DIGITS;
    if (!has(bytes, start, this.#beforeNumber)) return undefined;
    if (!has(bytes, numberAt + NUMBER_DIGITS, this.#beforeTime)) return undefined;
    if (!has(bytes, endAt, this.#end)) return undefined;
    const number = readDigits(bytes, numberAt, numberAt + NUMBER_DIGITS);
    const at = readDigits(bytes, timeAt, endAt);
    return number === undefined || at === undefined ? undefined : { number, at };
  }
}

/** The time in µs by a clock that all processes of this machine share and that nobody sets. */
export function nowMicros(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanos / 1e3);
}

/** Tells whether `bytes` has `part` at `start`. */
export function has(bytes: Buffer, start: number, part: Buffer): boolean {
  const end = start + part.length;
  return end <= bytes.length && part.compare(bytes, start, end) === 0;
}

/** Reads a number that has nothing but digits; undefined if it has anything else. */
export function readDigits(bytes: Buffer, start: number, end: number): number | undefined {
  let value = 0;
  for (let i = start; i < end; i += 1) {
    const digit = bytes[i]! - 48;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

function digits(value: number, length: number): string {
  return String(value).padStart(length, "0");
}
