// Both worlds have it: browsers (also on plain http, where randomUUID is missing) and Node.
declare const crypto: { getRandomValues(bytes: Uint8Array): Uint8Array };

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
const LENGTH = 16;
const pool = new Uint8Array(LENGTH * 128);
let used = pool.length;

/** Makes an id that nobody else makes: 16 characters, 96 random bits. */
export function randomId(): string {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  let id = "";
  for (const end = used + LENGTH; used < end; used += 1) id += ALPHABET[pool[used]! & 63]!;
  return id;
}
