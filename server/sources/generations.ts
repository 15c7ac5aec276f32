import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { absent, identityOf } from "./life.ts";

/** A file under the name of a log, or under that name with what a rotation adds: `a.log`, `a.log.1`, `a.log-20260131`. */
export interface Generation {
  readonly path: string;
  readonly identity: string;
  /** When it was last written, in ns. */
  readonly mtime: bigint;
  /** What a rotation added; empty for the log itself. */
  readonly suffix: string;
}

const ROTATED = /^[._-](?:old|bak|\d[\d._:T-]*)$/;
const NUMBER = /^[._-](\d{1,4})$/;
const MOST_LISTINGS = 20;

/** Whether one path is the other with what a rotation adds. */
export function isGenerationOf(path: string, log: string): boolean {
  return path.startsWith(log) && ROTATED.test(path.slice(log.length));
}

/** Lists the log and its generations. While files are being renamed, a listing may miss one: two must be the same. */
export async function generationsOf(log: string): Promise<Generation[]> {
  let last = await listing(log);
  for (let i = 0; i < MOST_LISTINGS; i += 1) {
    const next = await listing(log);
    if (namesOf(next) === namesOf(last)) return next;
    last = next;
  }
  return last;
}

async function listing(log: string): Promise<Generation[]> {
  const name = basename(log);
  const names = ((await readdir(dirname(log)).catch(absent)) ?? []).filter(
    (other) => other === name || isGenerationOf(other, name),
  );
  const found = await Promise.all(
    names.map(async (other): Promise<Generation[]> => {
      const path = join(dirname(log), other);
      const stats = await stat(path, { bigint: true }).catch(absent);
      if (stats === undefined || !stats.isFile()) return [];
      return [{ path, identity: identityOf(stats), mtime: stats.mtimeNs, suffix: other.slice(name.length) }];
    }),
  );
  return found.flat();
}

function namesOf(generations: readonly Generation[]): string {
  return generations
    .map(({ suffix, identity }) => `${suffix} ${identity}`)
    .toSorted()
    .join("\n");
}

/**
 * Sorts generations by age, the oldest first and the log itself last. Those that were written in the same tick of the
 * clock go by their numbers, which grow with the age or against it: as the other ones show, else with it, unless the
 * file `before` them all has the lowest.
 */
export function byAge(generations: readonly Generation[], before: string | undefined): Generation[] {
  const direction = agreement(generations) || (isLowest(generations, before) ? 1 : -1);
  return generations.toSorted((a, b) => {
    if (a.suffix === "" || b.suffix === "") return a.suffix === "" ? 1 : -1;
    if (a.mtime !== b.mtime) return a.mtime < b.mtime ? -1 : 1;
    const [one, other] = [numberOf(a), numberOf(b)];
    if (one === undefined || other === undefined) return a.suffix < b.suffix ? -1 : 1;
    return (one - other) * direction;
  });
}

/** Above 0 if a higher number mostly means a later time, below 0 if an earlier one. */
function agreement(generations: readonly Generation[]): number {
  const numbered = generations.flatMap((one) => {
    const number = numberOf(one);
    return number === undefined ? [] : [{ number, mtime: one.mtime }];
  });
  const sorted = numbered.toSorted((a, b) => a.number - b.number);
  return sorted.slice(1).reduce((sum, { mtime }, i) => {
    const lower = sorted[i]!.mtime;
    return sum + Number(mtime > lower) - Number(mtime < lower);
  }, 0);
}

function isLowest(generations: readonly Generation[], identity: string | undefined): boolean {
  const first = generations.find((one) => one.identity === identity);
  const numbers = generations.map(numberOf).filter((number) => number !== undefined);
  return first !== undefined && numbers.length > 1 && numberOf(first) === Math.min(...numbers);
}

function numberOf({ suffix }: Generation): number | undefined {
  const number = NUMBER.exec(suffix)?.[1];
  return number === undefined ? undefined : Number(number);
}
