/** What a prefix announces: bytes that tell a length, bytes besides those of that length, values per unit of it. */
type Shape = readonly [lengthBytes: 0 | 1 | 2 | 4, bytes: number, values: 0 | 1 | 2];

/** In the order of the prefixes, from 0xc0 (nothing) to 0xdf (the longest maps). */
const SHAPES: readonly (Shape | undefined)[] = [
  // Nothing, a prefix without meaning, false, true.
  ...plain(0, undefined, 0, 0),
  // Binary; extensions, with a byte for their type.
  ...sized(0),
  ...sized(1),
  // Floats, whole numbers without and with a sign, extensions of fixed length.
  ...plain(4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17),
  // Texts.
  ...sized(0),
  // Lists and maps.
  ...[1, 2].flatMap((values) => [2, 4].map((lengthBytes) => [lengthBytes, 0, values] as Shape)),
];

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
    const shape = SHAPES[prefix - 0xc0];
    if (shape === undefined) return false;
    const [lengthBytes, more, values] = shape;
    if (at + lengthBytes > bytes.length) return false;
    const length = lengthBytes === 0 ? 0 : bytes.readUIntBE(at, lengthBytes);
    at += lengthBytes + more;
    if (values === 0) at += length;
    else missing += length * values;
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

function plain(...sizes: readonly (number | undefined)[]): (Shape | undefined)[] {
  return sizes.map((bytes) => (bytes === undefined ? undefined : [0, bytes, 0]));
}

function sized(more: number): Shape[] {
  return [
    [1, more, 0],
    [2, more, 0],
    [4, more, 0],
  ];
}
