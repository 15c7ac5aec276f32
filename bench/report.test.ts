import { describe, expect, test } from "@jest/globals";
import type { CaseResult } from "./pairs.ts";
import { summaryOf, tableOf } from "./report.ts";
import type { Cell } from "./scenario.ts";

const RATIO = "roomcast (disk): d/cpu-s x (more is better)";

const cell = (figure: number, ...wrong: string[]): Cell => ({ figures: { "d/cpu-s": figure }, wrong });

function result(ours: readonly Cell[], theirs: readonly Cell[]): CaseResult {
  return {
    name: "1000 sockets",
    compared: [{ figure: "d/cpu-s", better: "more" }],
    targets: [
      { name: "roomcast (disk)", isOurs: true, cells: ours },
      { name: "socket.io", isOurs: false, cells: theirs },
    ],
  };
}

describe("a summary", () => {
  test("has the median of the ratios of pairs, not the ratio of medians", () => {
    const { targets } = summaryOf(result([cell(10), cell(40), cell(90)], [cell(10), cell(10), cell(30)]));
    expect(targets[0]!.figures["d/cpu-s"]).toEqual({ median: 40, min: 10, max: 90 });
    expect(targets[1]!.ratios[RATIO]).toEqual({ median: 3, min: 1, max: 4 });
  });

  test("leaves void cells and their pairs out, and counts them", () => {
    const { targets } = summaryOf(result([cell(10), cell(999, "1 holes")], [cell(5), cell(5)]));
    expect(targets.map(({ voids }) => voids)).toEqual([1, 0]);
    expect(targets[0]!.figures["d/cpu-s"]).toEqual({ median: 10, min: 10, max: 10 });
    expect(targets[1]!.ratios[RATIO]).toEqual({ median: 2, min: 2, max: 2 });
  });

  test("shows a target without any cell that counts as void", () => {
    const one = result([cell(10)], [cell(5, "1 doubles")]);
    const rows = tableOf(summaryOf(one), one.compared);
    expect(rows.at(-1)).toBe("| socket.io | – | – | 1 VOID |");
  });
});
