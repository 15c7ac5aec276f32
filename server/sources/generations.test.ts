import { describe, expect, test } from "@jest/globals";
import { byAge, isGenerationOf, type Generation } from "./generations.ts";

/** Generations of a log from suffixes with times, such as `.1@5`; the identity is the suffix. */
function generations(...texts: readonly string[]): Generation[] {
  return texts.map((text) => {
    const [suffix, mtime] = text.split("@") as [string, string];
    return { path: `a.log${suffix}`, identity: suffix, mtime: BigInt(mtime), suffix };
  });
}

describe("the generations of a log", () => {
  test.each([".1", ".12", "-20260131", "-2026-01-31T10:00:00", "_3", ".old", ".bak", ".2026-01-31.1"])(
    "are recognised by %s",
    (suffix) => expect(isGenerationOf(`/x/a.log${suffix}`, "/x/a.log")).toBe(true),
  );

  test.each(["", ".gz", ".1.gz", ".lock", ".err", "2", "-debug", ".1~"])("are not what has %j", (suffix) => {
    expect(isGenerationOf(`/x/a.log${suffix}`, "/x/a.log")).toBe(false);
  });

  test.each([
    ["by time, the log itself last", ["@1", ".1@5", ".2@4", ".3@3"], undefined, [".3", ".2", ".1", ""]],
    ["by time also against the numbers", [".1@1", ".2@2", "@3"], undefined, [".1", ".2", ""]],
    ["in one tick by falling numbers", [".1@5", ".2@5", ".3@5", "@5"], ".3", [".3", ".2", ".1", ""]],
    [
      "in one tick by growing numbers from the first",
      [".1@5", ".2@5", ".3@5", "@5"],
      ".1",
      [".1", ".2", ".3", ""],
    ],
    ["as the ones of other ticks show", [".1@5", ".2@5", ".3@4", "@5"], ".1", [".3", ".2", ".1", ""]],
    ["in one tick by date", ["-20260102@5", "-20260101@5", "@5"], undefined, ["-20260101", "-20260102", ""]],
  ])("are sorted %s", (_how, texts, before, sorted) => {
    expect(byAge(generations(...texts), before).map(({ suffix }) => suffix)).toEqual(sorted);
  });
});
