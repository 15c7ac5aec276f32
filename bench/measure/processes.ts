import { readFileSync } from "node:fs";

/** What Linux counts CPU time in, per second (USER_HZ, proc(5)). */
const TICKS = 100;

/** CPU time that a process has used so far, in the program and in the kernel, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name before it may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Memory of a process that is its own, and its part of what it shares, in KiB. */
export function pssKib(pid: number): number {
  return kibOf(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"), "Pss");
}

/** Memory of a process that is not swapped out, in KiB. */
export function rssKib(pid: number): number {
  return kibOf(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS");
}

function kibOf(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? Number.NaN);
}
