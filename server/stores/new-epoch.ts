import { randomFillSync } from "node:crypto";

const BYTES = 8;
/** An append over Redis brings an epoch along that is mostly not needed, and to ask the system for each costs some µs. */
const pool = Buffer.alloc(BYTES * 128);
let used = pool.length;

/** Makes the identity of a log that begins: 16 characters that no other log has. */
export function newEpoch(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += BYTES;
  return pool.toString("hex", used - BYTES, used);
}
