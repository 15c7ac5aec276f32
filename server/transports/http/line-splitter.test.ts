import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { LineSplitter, type Line } from "./line-splitter.ts";

function split(maxBytes: number, chunks: readonly string[]): string[] {
  const splitter = new LineSplitter(maxBytes);
  const lines: Line[] = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)));
  return [...lines, ...splitter.end()].map(String);
}

describe("a line splitter", () => {
  test("gives the same lines however the bytes are cut", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "\n"), maxLength: 60 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(60)), fc.integer({ min: 1, max: 5 }), (whole, cuts, maxBytes) => {
        const ends = [...cuts, whole.length].toSorted((a, b) => a - b);
        const chunks = ends.map((end, i) => whole.slice(ends[i - 1] ?? 0, end));
        const lines = whole.split("\n");
        if (lines.at(-1) === "") lines.pop();
        const expected = lines.map((line) => (line.length > maxBytes ? "too long" : line));
        expect(split(maxBytes, chunks)).toEqual(expected);
      }),
    );
  });

  test("takes n bytes and refuses n + 1", () => {
    expect(split(3, ["abc\nabcd\nabc"])).toEqual(["abc", "too long", "abc"]);
    expect(split(3, ["a", "b", "c", "d", "e\nf", "g"])).toEqual(["too long", "fg"]);
  });
});
