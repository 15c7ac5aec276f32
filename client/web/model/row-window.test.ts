import { describe, expect, test } from "@jest/globals";
import { RowWindow } from "./row-window.ts";

function windowOf(keys: readonly number[]): RowWindow {
  const rows = new RowWindow(20);
  rows.setRows(keys.map((key) => ({ key })));
  return rows;
}

describe("a window on rows", () => {
  test("knows what is in sight of very many rows", () => {
    const rows = windowOf(Array.from({ length: 10_000 }, (_, key) => key));
    expect(rows.height).toBe(200_000);
    expect(rows.range(100_010, 100, 0)).toEqual([5_000, 5_006]);
    expect(rows.range(0, 100, 10)).toEqual([0, 16]);
    expect(rows.range(199_900, 100, 10)).toEqual([9_985, 10_000]);
  });

  test("takes rows that are higher than usual into account", () => {
    const rows = windowOf([1, 2, 3]);
    expect(rows.measure(2, 60)).toBe(true);
    expect(rows.measure(2, 60)).toBe(false);
    expect(rows.measure(1, 20)).toBe(false);
    expect([rows.height, rows.top(2), rows.indexAt(79), rows.indexAt(80)]).toEqual([100, 80, 1, 2]);
    rows.setRows([{ key: -1 }, { key: 1 }, { key: 2 }, { key: 3 }]);
    expect(rows.top(3)).toBe(100);
    rows.reset(44);
    expect(rows.height).toBe(176);
  });

  test("finds a row by its key, or the next that is there", () => {
    const rows = windowOf([-3, 5, 9]);
    expect([-3, 5, 6, 9, 10].map((key) => rows.indexOf(key))).toEqual([0, 1, 2, 2, 2]);
  });

  test("is empty without rows", () => {
    const rows = windowOf([]);
    expect([rows.height, rows.range(0, 100, 10), rows.indexAt(50)]).toEqual([0, [0, 0], 0]);
  });
});
