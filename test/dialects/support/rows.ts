const ROW = /^\| ([A-Z](?:-W)?\d+) \|/;
const TEST = /\bit(?:\.each\([^\n]*\))?\(\s*"([A-Z](?:-W)?\d+): /g;
const CELLS = 4;
/** Begins what is said of a behaviour that is not claimed. */
const DIFFERS = "**Differs.**";

/**
 * Gives the numbers of the rows that claim a behaviour.
 *
 * @throws Error for a number that is there twice, and for a row that lacks a cell or has too many
 */
export function claimsOf(manual: string): string[] {
  const seen = new Set<string>();
  return manual.split("\n").flatMap((line) => {
    const number = ROW.exec(line)?.[1];
    if (number === undefined) return [];
    if (seen.has(number)) throw new Error(`${number} is there twice`);
    seen.add(number);
    const cells = line.split("|").slice(1, -1);
    if (cells.length !== CELLS) throw new Error(`${number} has ${cells.length} cells, not ${CELLS}`);
    return cells[2]!.trim().startsWith(DIFFERS) ? [] : [number];
  });
}

/** Gives the numbers with which the names of a file's tests begin. */
export function testsOf(text: string): string[] {
  return [...text.matchAll(TEST)].map(([, number]) => number!);
}
