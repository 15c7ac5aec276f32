/**
 * Hashes what a sender wrote, event and data, into 53 bits. Equal JSON texts have equal hashes; two different messages
 * of a run have the same one by chance in less than one of a million runs. After cyrb53, which is in the public domain.
 */
export function hashOf(event: string, data: unknown): number {
  const text = JSON.stringify([event, data]);
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2_654_435_761);
    b = Math.imul(b ^ code, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return 4_294_967_296 * (2_097_151 & b) + (a >>> 0);
}
