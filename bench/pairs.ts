import { Processes } from "../chaos/processes.ts";
import type { Case, Cell } from "./scenario.ts";
import type { Target } from "./servers/servers.ts";

export interface TargetResult {
  readonly name: string;
  /** Roomcast: what the others are compared to. */
  readonly isOurs: boolean;
  readonly cells: readonly Cell[];
}

/** What a case's targets were measured to, in the order of the rounds; void and failed cells among them. */
export interface CaseResult {
  readonly name: string;
  readonly compared: Case["compared"];
  readonly targets: readonly TargetResult[];
}

interface Context {
  readonly pairs: number;
  readonly signal: AbortSignal;
  /** Gets a line of progress. */
  readonly print: (line: string) => void;
}

/** Measures every target once, then every target again: what slows the machine down for a while meets all of them. */
export async function measureInTurn(one: Case, { pairs, signal, print }: Context): Promise<CaseResult> {
  const targets = one.targets.map((target) => ({ target, cells: [] as Cell[] }));
  for (let round = 1; round <= pairs; round += 1) {
    for (const { target, cells } of targets) {
      const cell = await measured(one, target, signal);
      cells.push(cell);
      const figure = one.compared[0]!.figure;
      const said =
        cell.wrong.length > 0
          ? `VOID: ${cell.wrong.join("; ")}`
          : `${figure} ${cell.figures[figure]?.toPrecision(4)}`;
      print(`  ${one.name}, ${round}/${pairs}, ${target.name}: ${said}`);
    }
  }
  return {
    name: one.name,
    compared: one.compared,
    targets: targets.map(({ target, cells }) => ({
      name: target.name,
      isOurs: target.kind === "roomcast",
      cells,
    })),
  };
}

/** One cell, with processes and a folder that end with it, however it goes. @throws the signal's reason */
async function measured(one: Case, target: Target, signal: AbortSignal): Promise<Cell> {
  signal.throwIfAborted();
  const processes = new Processes(undefined, "bench");
  const { promise: aborted, abort } = abortOf(signal);
  try {
    return await Promise.race([one.measure(target, processes), aborted]);
  } catch (error) {
    signal.throwIfAborted();
    return { figures: {}, wrong: [(error as Error).message] };
  } finally {
    signal.removeEventListener("abort", abort);
    await processes.end();
  }
}

function abortOf(signal: AbortSignal): { promise: Promise<never>; abort: () => void } {
  let abort!: () => void;
  const promise = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
  });
  // Whoever loses the race is nobody's concern.
  promise.catch(() => {});
  return { promise, abort };
}
