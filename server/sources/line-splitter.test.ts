import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { LineSplitter } from "./line-splitter.ts";

function split(chunks: readonly Buffer[], maxBytes = 65_536): string[] {
  const splitter = new LineSplitter(maxBytes);
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()].map(({ text }) => text);
}

/** The same bytes in pieces, cut at any places. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return places.slice(1).map((to, i) => bytes.subarray(places[i], to));
}

const cuts = fc.array(fc.nat(), { maxLength: 30 });

describe("a line splitter", () => {
  test.each([
    ["ends lines with LF", "a\nb\n", ["a", "b"]],
    ["ends lines with CRLF", "a\r\nb\r\n", ["a", "b"]],
    ["takes several CRs before LF for one line end", "a\r\r\nb", ["a", "b"]],
    ["keeps empty lines", "\n\r\na\n\n", ["", "", "a", ""]],
    ["gives a last line without an end", "a\nb", ["a", "b"]],
    ["gives nothing for nothing", "", []],
    ["keeps the last state of a progress bar", "10%\r20%\r100%\nnext\n", ["100%", "next"]],
    ["keeps the state that a CR came after", "10%\r100%\r", ["100%"]],
    ["keeps what a terminal obeys", "\u001b[31mred\u001b[0m\t!\n", ["\u001b[31mred\u001b[0m\t!"]],
    ["does not end lines at U+2028 or form feed", "a\u2028b\fc\n", ["a\u2028b\fc"]],
  ])("%s", (_what, text, lines) => {
    expect(split([Buffer.from(text)])).toEqual(lines);
    expect(split([...Buffer.from(text)].map((byte) => Buffer.of(byte)))).toEqual(lines);
  });

  test("shows bytes that are no UTF-8 as U+FFFD", () => {
    expect(split([Buffer.from([0x61, 0xff, 0x62, 0x0a, 0xc3])])).toEqual(["a\ufffdb", "\ufffd"]);
  });

  test("gives the same lines however the bytes are cut", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "é", "🎉", "\n", "\r\n", "\r", "\u001b[1m"),
      maxLength: 60,
    });
    fc.assert(
      fc.property(text, cuts, (input, at) => {
        const bytes = Buffer.from(input);
        expect(split(pieces(bytes, at))).toEqual(split([bytes]));
      }),
    );
  });

  test("gives the same lines of arbitrary bytes however they are cut", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), cuts, (input, at) => {
        const bytes = Buffer.from(input);
        expect(split(pieces(bytes, at), 20)).toEqual(split([bytes], 20));
      }),
    );
  });

  test("gives back every text without CR as it was", () => {
    const lines = fc.array(fc.string({ unit: "grapheme" }).map((text) => text.replaceAll(/[\r\n]/g, "")));
    fc.assert(
      fc.property(lines, cuts, (input, at) => {
        const bytes = Buffer.from(input.map((line) => `${line}\n`).join(""));
        expect(split(pieces(bytes, at))).toEqual(input);
      }),
    );
  });

  test("tells where each line ends", () => {
    const splitter = new LineSplitter(100);
    const lines = [...splitter.push(Buffer.from("a\r\n")), ...splitter.push(Buffer.from("é\n\nrest"))];
    expect([...lines, ...splitter.end()].map(({ end }) => end)).toEqual([3, 6, 7, 11]);
  });

  test("keeps the beginning of a long line, and its length", () => {
    const splitter = new LineSplitter(8);
    const lines = [1, 2, 3].flatMap(() => splitter.push(Buffer.from("abcdef")));
    expect(lines).toEqual([]);
    expect(splitter.push(Buffer.from("\nab\n"))).toEqual([
      { text: "abcdefab", bytes: 18, isCut: true, end: 19 },
      { text: "ab", bytes: 2, isCut: false, end: 22 },
    ]);
  });

  test("does not hold a long line", () => {
    const splitter = new LineSplitter(65_536);
    const chunk = Buffer.alloc(1024 * 1024, "x");
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 200; i += 1) splitter.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
    expect(splitter.end()).toMatchObject([{ bytes: 200 * 1024 * 1024, isCut: true }]);
  });
});
