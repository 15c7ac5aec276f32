import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { encodeData } from "../../shared/message.ts";
import { logData, MAX_LINE_BYTES } from "./entry.ts";

const origin = { program: "make", source: "stderr" };
const dataOf = (text: string, bytes = Buffer.byteLength(text), isCut = false) =>
  logData({ text, bytes, isCut }, origin, 0);

describe("a log entry", () => {
  test("has the line, its level, where it came from and when", () => {
    expect(dataOf("\u001b[31merror: no\u001b[0m")).toEqual({
      message: "\u001b[31merror: no\u001b[0m",
      level: "ERROR",
      program: "make",
      timestamp: "1970-01-01T00:00:00.000Z",
      source: "stderr",
    });
  });

  test("has no source where there is none", () => {
    expect(logData({ text: "a", bytes: 1 }, { program: "p" }, 0)).not.toHaveProperty("source");
  });

  test.each([
    ["ASCII", "x"],
    ["controls", "\u001b"],
    ["quotes", '"'],
    ["two bytes", "é"],
    ["three bytes", "\ufffd"],
    ["pairs", "🎉"],
  ])("fills 64 KiB of JSON with %s to the last byte, and is cut beyond", (_what, unit) => {
    const room = MAX_LINE_BYTES - Buffer.byteLength(JSON.stringify(dataOf("")));
    const size = Buffer.byteLength(JSON.stringify(unit)) - 2;
    const fitting = unit.repeat(Math.floor(room / size)) + "x".repeat(room % size);
    expect(dataOf(fitting).message).toBe(fitting);
    expect(Buffer.byteLength(encodeData(dataOf(fitting), DEFAULT_LIMITS))).toBe(MAX_LINE_BYTES);

    const cut = dataOf(`${fitting}x`);
    expect(cut.message).toMatch(
      new RegExp(`^[^]{5000,} … \\[cut, ${Buffer.byteLength(fitting) + 1} bytes\\]$`),
    );
    expect(Buffer.byteLength(encodeData(cut, DEFAULT_LIMITS))).toBeGreaterThan(MAX_LINE_BYTES - size);
    expect(Buffer.from(cut.message).toString()).toBe(cut.message);
  });

  test("says how long a line was that was never held whole", () => {
    const { message } = dataOf("x".repeat(MAX_LINE_BYTES), 204_800, true);
    expect(message).toMatch(/^x+ … \[cut, 204800 bytes\]$/);
  });

  test("is never too large for the hub", () => {
    const text = fc.string({ unit: "binary", maxLength: 30 }).map((part) => part.repeat(3_000));
    fc.assert(
      fc.property(text, (line) => expect(() => encodeData(dataOf(line), DEFAULT_LIMITS)).not.toThrow()),
      { numRuns: 50 },
    );
  });
});
