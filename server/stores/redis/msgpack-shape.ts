/** By prefix from 0xc4 to 0xdb: how many bytes tell the length of what follows, and how many follow besides. */
const SIZED: Readonly<Record<number, readonly [lengthBytes: 0 | 1 | 2 | 4, more: number]>> = {
  // Binary, extensions (with one byte for their type), text.
  ...{ 0xc4: [1, 0], 0xc5: [2, 0], 0xc6: [4, 0] },
  ...{ 0xc7: [1, 1], 0xc8: [2, 1], 0xc9: [4, 1] },
  ...{ 0xd9: [1, 0], 0xda: [2, 0], 0xdb: [4, 0] },
  // Nothing, false, true, floats, whole numbers without and with a sign, extensions of fixed length.
  ...{ 0xc0: [0, 0], 0xc2: [0, 0], 0xc3: [0, 0], 0xca: [0, 4], 0xcb: [0, 8] },
  ...{ 0xcc: [0, 1], 0xcd: [0, 2], 0xce: [0, 4], 0xcf: [0, 8] },
  ...{ 0xd0: [0, 1], 0xd1: [0, 2], 0xd2: [0, 4], 0xd3: [0, 8] },
  ...{ 0xd4: [0, 2], 0xd5: [0, 3], 0xd6: [0, 5], 0xd7: [0, 9], 0xd8: [0, 17] },
};
/** Lists and maps: bytes of their length, values per entry. */
const NESTED: Readonly<Record<number, readonly [lengthBytes: 2 | 4, values: 1 | 2]>> = {
  ...{ 0xdc: [2, 1], 0xdd: [4, 1], 0xde: [2, 2], 0xdf: [4, 2] },
};

/**
 * Tells whether bytes are exactly one MessagePack value, in one pass and without recursion. The adapter's decoder
 * believes every length that it reads: seven bytes that announce 4 GiB keep it busy for minutes.
 */
export function isWholeMsgpack(bytes: Buffer): boolean {
  let at = 0;
  // Every value takes a byte at least, so announcing more of them than there are bytes is a lie.
  for (let missing = 1; missing > 0; missing -= 1) {
    if (at + missing > bytes.length) return false;
    const prefix = bytes[at]!;
    at += 1;
    const small = smallSize(prefix);
    if (small !== undefined) {
      at += small.bytes;
      missing += small.values;
      continue;
    }
    const nested = NESTED[prefix];
    const [lengthBytes, more] = nested ?? SIZED[prefix] ?? [undefined, 0];
    if (lengthBytes === undefined || at + lengthBytes > bytes.length) return false;
    const length = lengthBytes === 0 ? 0 : bytes.readUIntBE(at, lengthBytes);
    at += lengthBytes;
    if (nested === undefined) at += length + more;
    else missing += length * more;
  }
  return at === bytes.length;
}

/** Of prefixes that hold their own length: bytes and values that follow. */
function smallSize(prefix: number): { bytes: number; values: number } | undefined {
  if (prefix < 0x80 || prefix >= 0xe0) return { bytes: 0, values: 0 };
  if (prefix < 0x90) return { bytes: 0, values: 2 * (prefix - 0x80) };
  if (prefix < 0xa0) return { bytes: 0, values: prefix - 0x90 };
  if (prefix < 0xc0) return { bytes: prefix - 0xa0, values: 0 };
  return undefined;
}
