import { describe, expect, test } from "@jest/globals";
import { compileFilter, EVERYTHING } from "./log-filter.ts";
import { rowOf } from "./log-row.ts";

const row = (message: string): ReturnType<typeof rowOf> =>
  rowOf(1, { event: "log", data: { message }, meta: { id: "a", time: 0 } });

describe("a log filter", () => {
  test.each([
    ["plain text", "a.c", false, "xa.cx", true],
    ["plain text is no pattern", "a.c", false, "abc", false],
    ["without capitals it takes both cases", "error", false, "ERROR", true],
    ["with a capital it takes that", "Error", false, "error", false],
    ["a regular expression", "a.c$", true, "abc", true],
    ["a class of a regular expression is no capital", String.raw`\Sx`, true, "AX", true],
    ["text under colours", "redline", false, "\u001B[31mred\u001B[0mline", true],
    ["nothing lets all through", "", true, "x", true],
  ])("%s: %j", (_what, text, isRegex, message, shows) => {
    expect(compileFilter({ ...EVERYTHING, text, isRegex }).shows(row(message))).toBe(shows);
  });

  test.each(["[", "(", "*", "a{2,1}", "\\"])(
    "says that %s is no regular expression, and throws nothing",
    (text) => {
      const filter = compileFilter({ ...EVERYTHING, text, isRegex: true });
      expect(filter.problem).toMatch(/^No valid regular expression: ./);
      expect([filter.shows(row("x")), filter.marks("x")]).toEqual([true, []]);
    },
  );

  test("marks every match, also where it hides nothing", () => {
    const filter = compileFilter({ ...EVERYTHING, text: "ab", hidesOthers: false });
    expect(filter.shows(row("none"))).toBe(true);
    expect(filter.marks("ab cab")).toEqual([
      [0, 2],
      [4, 6],
    ]);
  });

  test("marks no empty match, and ends", () => {
    expect(compileFilter({ ...EVERYTHING, text: "x*", isRegex: true }).marks("axb")).toEqual([[1, 2]]);
  });
});
