import { describe, expect, test } from "@jest/globals";
import { piecesOf, stripControls } from "./ansi.ts";
import { levelOf, rowOf } from "./log-row.ts";
import { markPieces } from "./mark-pieces.ts";
import { logTime } from "./times.ts";

describe("a line", () => {
  test.each([
    ["\u001B[31mred\u001B[0m plain", ["red|ansi-red-fg", " plain|"]],
    ["\u001B[1;92mbold\u001B[m", ["bold|ansi-bright-green-fg ansi-bold"]],
    ["\u001B[2Kprogress\u001B[1A", ["progress|"]],
    ["\u001B]8;;http://x\u0007link\u001B]8;;\u0007", ["link|"]],
    ["<b>no</b>", ["<b>no</b>|"]],
    ["\u001B[31m<img src=x>\u001B[0m", ["<img src=x>|ansi-red-fg"]],
    ["bell\u0007\r", ["bell|"]],
  ])("of %j has the pieces %j", (text, pieces) => {
    expect(piecesOf(text).map((piece) => `${piece.text}|${piece.classes}`)).toEqual(pieces);
    expect(stripControls(text)).toBe(
      piecesOf(text)
        .map((piece) => piece.text)
        .join(""),
    );
  });

  test("is cut where marks begin and end, across colours", () => {
    const pieces = markPieces(piecesOf("ab\u001B[31mcd\u001B[0mef"), [[1, 3]]);
    expect(pieces.map(({ text, isMarked }) => (isMarked ? text.toUpperCase() : text))).toEqual([
      "a",
      "B",
      "C",
      "d",
      "ef",
    ]);
  });

  test.each([
    ["CRITICAL", "error"],
    [" warning ", "warn"],
    ["Info", "info"],
    ["TRACE", "debug"],
    ["constructor", "other"],
    ["", "other"],
  ])("of level %j counts as %s", (name, level) => {
    expect(levelOf(name)).toBe(level);
  });

  test.each([null, 5, "text", [], { message: 5 }, { level: {} }])(
    "has text whatever its data is: %j",
    (data) => {
      const row = rowOf(1, { event: "log", data, meta: { id: "a", time: 7 } });
      expect([row.plain, row.time]).toEqual([JSON.stringify(data), 7]);
    },
  );

  test("has its own time, or else the hub's", () => {
    const at = (timestamp: unknown): number =>
      rowOf(1, { event: "log", data: { message: "", timestamp }, meta: { id: "a", time: 7 } }).time;
    expect([at("1970-01-01T00:00:01Z"), at("nonsense"), at(5)]).toEqual([1_000, 7, 7]);
  });

  test("has its time in the reader's way", () => {
    const time = Date.parse("2025-01-31T12:00:00.005Z");
    expect(logTime(time, "utc", 0)).toBe("12:00:00.005Z");
    const ago = [0, 59, 60, 3_600, 86_400 * 3].map((seconds) =>
      logTime(time, "relative", time + seconds * 1_000),
    );
    expect(ago).toEqual(["now", "59s ago", "1m ago", "1h ago", "3d ago"]);
  });
});
