import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { formatCursor, parsePosition } from "./position.ts";

const text = (characters: string, min: number, max: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...characters.split("")), minLength: min, maxLength: max });
const LETTERS = "abcXYZ019";

describe("a position", () => {
  it("survives the way through its cursor", () => {
    const position = fc.record({
      epoch: text(LETTERS, 1, 32),
      offset: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      id: text(`${LETTERS}_.:-`, 1, 64),
    });
    fc.assert(fc.property(position, (given) => expect(parsePosition(formatCursor(given))).toEqual(given)));
  });

  it("has no id at offset 0, before the first message", () => {
    expect(parsePosition("e1.0.")).toEqual({ epoch: "e1", offset: 0, id: "" });
    expect(() => parsePosition({ epoch: "e1", offset: 0, id: "x" })).toThrow("position");
  });

  it.each([
    "",
    "e1",
    "e1.5",
    "e1.5.",
    "e1.-1.x",
    "e1.05.x",
    "e1.5.a b",
    "e1.1e3.x",
    "e1.99999999999999999999.x",
    ".5.x",
    "e-1.5.x",
    `e1.5.${"x".repeat(65)}`,
  ])("is not the text %j", (cursor) => {
    expect(() => parsePosition(cursor)).toThrow("position");
  });

  it.each([
    undefined,
    null,
    5,
    [],
    {},
    { epoch: "e", offset: "5", id: "x" },
    { epoch: 1, offset: 5, id: "x" },
    { epoch: "e", offset: 1.5, id: "x" },
  ])("is not %j", (value) => {
    expect(() => parsePosition(value)).toThrow("position");
  });
});
