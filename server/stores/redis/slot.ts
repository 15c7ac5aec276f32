/** The slots of a cluster are numbered from 0 to one less than this. */
export const SLOTS = 16_384;

/** CRC-16/XMODEM of each byte, as the cluster specification of Redis has it. */
const CRC = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ ((crc & 0x8000) === 0 ? 0 : 0x1021);
  return crc & 0xffff;
});

/** The slot of a cluster in which a key or a sharded channel lives: that of its hash tag, if it has one. */
export function slotOf(key: string): number {
  let crc = 0;
  for (const byte of Buffer.from(hashed(key))) crc = ((crc << 8) ^ CRC[(crc >> 8) ^ byte]!) & 0xffff;
  return crc % SLOTS;
}

function hashed(key: string): string {
  const open = key.indexOf("{");
  const close = key.indexOf("}", open + 1);
  return open < 0 || close <= open + 1 ? key : key.slice(open + 1, close);
}
