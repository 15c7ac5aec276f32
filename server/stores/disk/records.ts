import { crc32 } from "node:zlib";
import type { RoomName } from "../../../shared/room-name.ts";

/**
 * What is written to disk, as bytes. Every value begins with a checksum over its key and the rest of it, so a record
 * that was damaged or that is another one's is never taken for the one that was asked for.
 *
 * rooms     1 byte (1: has had messages, 0: has not), room name → RoomRecord
 * messages  number of the log, offset of the last message → MessageBlock (see `message-blocks.ts`)
 * ids       number of the log, generation, id → offset, time, digest
 */
export interface RoomRecord {
  /** Is never given again: what an earlier log of the same room has left behind is not found by this one. */
  readonly log: number;
  readonly epoch: string;
  readonly top: number;
  readonly topId: string;
  /** The first message that is kept; what is before it and still there waits to be deleted. */
  readonly first: number;
  /** The first message that may still be there. */
  readonly swept: number;
  /** Of the newest message, in Unix milliseconds. */
  readonly time: number;
  readonly ageMs: number;
  /** Ids of this generation and of the one before are remembered. */
  readonly generation: number;
  readonly rotatedAt: number;
  readonly forgetAt: number;
  /** No message that is kept is of an earlier time; 0 in records that an earlier version wrote. */
  readonly oldestTime: number;
}

export interface IdRecord {
  readonly offset: number;
  readonly time: number;
  readonly digest: Buffer;
}

/** Tells of a record that does not hold what was written into it. */
export class DamagedRecord extends Error {
  override readonly name = "DamagedRecord";
}

const LOG_BYTES = 6;
const OFFSET_BYTES = 8;
const GENERATION_BYTES = 4;
const DIGEST_BYTES = 20;
export const CHECKSUM_BYTES = 4;
/** log, generation, top, first, swept, time, ageMs, rotatedAt, forgetAt */
const ROOM_FIXED_BYTES = CHECKSUM_BYTES + LOG_BYTES + GENERATION_BYTES + 7 * 8;

export function roomKey(room: string, hasMessages: boolean): Buffer {
  const name = Buffer.from(room);
  const key = Buffer.allocUnsafe(1 + name.length);
  key[0] = hasMessages ? 1 : 0;
  name.copy(key, 1);
  return key;
}

export function roomOfKey(key: Buffer): RoomName {
  return key.toString("utf8", 1) as RoomName;
}

export function logKey(log: number): Buffer {
  const key = Buffer.allocUnsafe(LOG_BYTES);
  key.writeUIntBE(log, 0, LOG_BYTES);
  return key;
}

export function logOfKey(key: Buffer): number {
  return key.readUIntBE(0, LOG_BYTES);
}

export function messageKey(log: number, offset: number): Buffer {
  const key = Buffer.allocUnsafe(LOG_BYTES + OFFSET_BYTES);
  key.writeUIntBE(log, 0, LOG_BYTES);
  // No integer of 8 bytes can be written from a number, and BigInt is slow.
  key.writeUInt32BE(Math.floor(offset / 2 ** 32), LOG_BYTES);
  key.writeUInt32BE(offset % 2 ** 32, LOG_BYTES + 4);
  return key;
}

export function offsetOfKey(key: Buffer): number {
  return key.readUInt32BE(LOG_BYTES) * 2 ** 32 + key.readUInt32BE(LOG_BYTES + 4);
}

export function idKey(log: number, generation: number, id: string): Buffer {
  const key = Buffer.allocUnsafe(LOG_BYTES + GENERATION_BYTES + id.length);
  key.writeUIntBE(log, 0, LOG_BYTES);
  key.writeUInt32BE(generation, LOG_BYTES);
  key.write(id, LOG_BYTES + GENERATION_BYTES, "latin1");
  return key;
}

export function encodeRoom(key: Buffer, record: RoomRecord): Buffer {
  const value = Buffer.allocUnsafe(ROOM_FIXED_BYTES + 2 + record.epoch.length + record.topId.length + 8);
  let at = value.writeUIntBE(record.log, CHECKSUM_BYTES, LOG_BYTES);
  at = value.writeUInt32BE(record.generation, at);
  const { top, first, swept, time, ageMs, rotatedAt, forgetAt } = record;
  for (const number of [top, first, swept, time, ageMs, rotatedAt, forgetAt])
    at = value.writeDoubleBE(number, at);
  for (const text of [record.epoch, record.topId]) {
    at = value.writeUInt8(text.length, at);
    at += value.write(text, at, "latin1");
  }
  value.writeDoubleBE(record.oldestTime, at);
  return sealed(key, value);
}

export function decodeRoom(key: Buffer, value: Buffer): RoomRecord {
  opened(key, value);
  const number = (i: number): number => value.readDoubleBE(CHECKSUM_BYTES + LOG_BYTES + 4 + 8 * i);
  const epochEnd = ROOM_FIXED_BYTES + 1 + value[ROOM_FIXED_BYTES]!;
  const idEnd = epochEnd + 1 + value[epochEnd]!;
  return {
    log: value.readUIntBE(CHECKSUM_BYTES, LOG_BYTES),
    generation: value.readUInt32BE(CHECKSUM_BYTES + LOG_BYTES),
    top: number(0),
    first: number(1),
    swept: number(2),
    time: number(3),
    ageMs: number(4),
    rotatedAt: number(5),
    forgetAt: number(6),
    epoch: value.toString("latin1", ROOM_FIXED_BYTES + 1, epochEnd),
    topId: value.toString("latin1", epochEnd + 1, idEnd),
    oldestTime: idEnd < value.length ? value.readDoubleBE(idEnd) : 0,
  };
}

export function encodeId(key: Buffer, { offset, time, digest }: IdRecord): Buffer {
  const value = Buffer.allocUnsafe(CHECKSUM_BYTES + 16 + DIGEST_BYTES);
  value.writeDoubleBE(offset, CHECKSUM_BYTES);
  value.writeDoubleBE(time, CHECKSUM_BYTES + 8);
  digest.copy(value, CHECKSUM_BYTES + 16);
  return sealed(key, value);
}

export function decodeId(key: Buffer, value: Buffer): IdRecord {
  opened(key, value);
  return {
    offset: value.readDoubleBE(CHECKSUM_BYTES),
    time: value.readDoubleBE(CHECKSUM_BYTES + 8),
    digest: Buffer.from(value.subarray(CHECKSUM_BYTES + 16)),
  };
}

/** Puts the checksum over key and value into the value. */
export function sealed(key: Buffer, value: Buffer): Buffer {
  value.writeUInt32BE(crc32(value.subarray(CHECKSUM_BYTES), crc32(key)), 0);
  return value;
}

/** @throws DamagedRecord if the value is not what was written under this key */
export function opened(key: Buffer, value: Buffer): void {
  if (value.length >= CHECKSUM_BYTES) {
    const checksum = crc32(value.subarray(CHECKSUM_BYTES), crc32(key));
    if (value.readUInt32BE(0) === checksum) return;
  }
  throw new DamagedRecord(`the record ${key.toString("hex")} is damaged`);
}
