import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { LineSplitter } from "./line-splitter.ts";

/** The lines of chunks, and the codes of those that can't be read. */
function split(maxBytes: number, chunks: readonly (string | Buffer)[]): string[] {
  const splitter = new LineSplitter(maxBytes);
  const lines = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)));
  return [...lines, ...splitter.end()].map((line) => (typeof line === "string" ? line : line.code));
}

/** What a line is by itself. */
function lineOf(bytes: Buffer, maxBytes: number): string {
  if (bytes.length > maxBytes) return "too_large";
  return bytes.includes(0xff) ? "bad_request" : bytes.toString();
}

describe("a line splitter", () => {
  test("gives the same lines however the bytes are cut", () => {
    const parts = fc.constantFrom("a", "é", "\u20ac", "\n", "\n", "bad").map((part) => {
      return part === "bad" ? Buffer.of(0xff) : Buffer.from(part);
    });
    fc.assert(
      fc.property(
        fc.array(parts, { maxLength: 60 }),
        fc.array(fc.nat(90)),
        fc.integer({ min: 1, max: 9 }),
        (pieces, cuts, maxBytes) => {
          const whole = Buffer.concat(pieces);
          const ends = [...cuts, whole.length].toSorted((a, b) => a - b);
          const chunks = ends.map((end, i) => whole.subarray(ends[i - 1] ?? 0, end));
          const lines = whole.toString("latin1").split("\n");
          if (lines.at(-1) === "") lines.pop();
          expect(split(maxBytes, chunks)).toEqual(
            lines.map((line) => lineOf(Buffer.from(line, "latin1"), maxBytes)),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  test("takes n bytes and refuses n + 1", () => {
    expect(split(3, ["abc\nabcd\nabc"])).toEqual(["abc", "too_large", "abc"]);
    expect(split(3, ["a", "b", "c", "d", "e\nf", "g"])).toEqual(["too_large", "fg"]);
  });
});
