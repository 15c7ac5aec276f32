/**
 * Writes numbered lines to a log from a process of its own and rotates it by renaming, as logrotate does: arguments are
 * the file, how many lines, and after how many it is rotated. A line is written in two pieces, cut in its middle.
 */
import { closeSync, existsSync, openSync, renameSync, writeSync } from "node:fs";

const [file = "", total = "0", each = "0"] = process.argv.slice(2);
let fd = openSync(file, "a");
for (let n = 1; n <= Number(total); n += 1) {
  const line = Buffer.from(`line ${n} é🎉\n`);
  const middle = line.length - 3;
  writeSync(fd, line, 0, middle);
  writeSync(fd, line, middle);
  if (n % Number(each) === 0 && n < Number(total)) rotate();
  // Other processes get their turn.
  if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
}
closeSync(fd);

function rotate() {
  closeSync(fd);
  let oldest = 1;
  while (existsSync(`${file}.${oldest}`)) oldest += 1;
  for (let i = oldest; i > 1; i -= 1) renameSync(`${file}.${i - 1}`, `${file}.${i}`);
  renameSync(file, `${file}.1`);
  fd = openSync(file, "a");
}
