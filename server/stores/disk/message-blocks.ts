import { CHECKSUM_BYTES, offsetOfKey, opened, sealed } from "./records.ts";

/** A message as its log keeps it. */
export interface MessageRecord {
  readonly time: number;
  readonly id: string;
  readonly head: string;
}

/** Messages that follow each other and have one time, in one record: it costs little more than that of one message. */
export interface MessageBlock {
  readonly first: number;
  readonly last: number;
  at(offset: number): MessageRecord;
}

/** A message whose block is still to be written. */
export interface UnwrittenMessage {
  readonly id: string;
  readonly head: string;
}

const TIME_BYTES = 8;
const TEXT_AT = CHECKSUM_BYTES + TIME_BYTES + 1;
/** What stands where a lone message has the length of its id, which is never 0. */
const MANY = 0;
const COUNT_BYTES = 2;
/** Lengths of the id and of the head, in UTF-16 code units. */
const LENGTHS_BYTES = 5;

/** Whoever reads one message reads its whole block, so a block that has so many gets no more. */
const MOST_MESSAGES = 64;
const MOST_CHARACTERS = 16_384;

/** Where the block ends that begins with this message. */
export function blockEnd(messages: readonly UnwrittenMessage[], start: number): number {
  let characters = 0;
  let end = start;
  do {
    characters += messages[end]!.head.length;
    end += 1;
  } while (end < messages.length && end - start < MOST_MESSAGES && characters < MOST_CHARACTERS);
  return end;
}

/**
 * Makes a block's value; its key is that of its last message. One message alone is written as version 1 of the format
 * has it, so that what it wrote is read in the same way.
 */
export function encodeBlock(key: Buffer, time: number, messages: readonly UnwrittenMessage[]): Buffer {
  // Joined and encoded at once: one call for each message costs more than the bytes.
  let text = "";
  for (const { id, head } of messages) text += id + head;
  const isAlone = messages.length === 1;
  const textAt = isAlone ? TEXT_AT : TEXT_AT + COUNT_BYTES + LENGTHS_BYTES * messages.length;
  const value = Buffer.allocUnsafe(textAt + Buffer.byteLength(text));
  value.writeDoubleBE(time, CHECKSUM_BYTES);
  if (isAlone) value[TEXT_AT - 1] = messages[0]!.id.length;
  else {
    value[TEXT_AT - 1] = MANY;
    let at = value.writeUInt16BE(messages.length, TEXT_AT);
    for (const { id, head } of messages) {
      value[at] = id.length;
      at = value.writeUInt32BE(head.length, at + 1);
    }
  }
  value.write(text, textAt);
  return sealed(key, value);
}

/** @throws DamagedRecord */
export function decodeBlock(key: Buffer, value: Buffer): MessageBlock {
  opened(key, value);
  const time = value.readDoubleBE(CHECKSUM_BYTES);
  const last = offsetOfKey(key);
  const idLength = value[TEXT_AT - 1]!;
  if (idLength !== MANY) {
    const text = value.toString("utf8", TEXT_AT);
    const message = { time, id: text.slice(0, idLength), head: text.slice(idLength) };
    return { first: last, last, at: () => message };
  }
  const count = value.readUInt16BE(TEXT_AT);
  const lengthsAt = TEXT_AT + COUNT_BYTES;
  const text = value.toString("utf8", lengthsAt + LENGTHS_BYTES * count);
  const messages: MessageRecord[] = [];
  for (let at = lengthsAt, from = 0; messages.length < count; at += LENGTHS_BYTES) {
    const headAt = from + value[at]!;
    const end = headAt + value.readUInt32BE(at + 1);
    messages.push({ time, id: text.slice(from, headAt), head: text.slice(headAt, end) });
    from = end;
  }
  const first = last - count + 1;
  return { first, last, at: (offset) => messages[offset - first]! };
}
