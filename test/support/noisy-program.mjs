/**
 * Prints numbered lines, alternately on standard output (odd) and standard error (even), with colours, one line of
 * 200 KiB, bytes that are no UTF-8, and no line end after its last line; ends with code 3. Arguments are how many lines,
 * and how many at once: it prints the next ones when an empty line comes from standard input, or at once if that has ended.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";

const total = Number(process.argv[2]);
const atOnce = Number(process.argv[3] ?? total);
let n = 0;

await print();
for await (const line of createInterface(process.stdin)) {
  if (line === "") await print();
}
while (n < total) await print();
process.exitCode = 3;

async function print() {
  for (const end = Math.min(total, n + atOnce); n < end;) {
    n += 1;
    await write(n % 2 === 1 ? 1 : 2, lineOf());
  }
}

function lineOf() {
  const end = n > total - 2 ? "" : "\n";
  if (n === 1001) return Buffer.from(`${n} ${"x".repeat(200 * 1024 - 5)}${end}`);
  if (n === 1002)
    return Buffer.concat([Buffer.from(`${n} broken `), Buffer.of(0xff, 0xc3), Buffer.from(end)]);
  return Buffer.from(`${n} \u001b[3${n % 8}mé🎉\u001b[0m${end}`);
}

/**
 * @param {number} fd
 * @param {Buffer} bytes
 */
async function write(fd, bytes) {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EAGAIN") throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}
