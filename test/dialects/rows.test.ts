import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { packageRoot } from "../support/run-node.ts";
import { claimsOf, testsOf } from "./support/rows.ts";

const folder = join(packageRoot, "test/dialects");
const manual = readFileSync(join(packageRoot, "docs/coming-from.md"), "utf8");
const tests = readdirSync(folder)
  .filter((name) => name.endsWith(".test.ts") && name !== "rows.test.ts")
  .flatMap((name) => testsOf(readFileSync(join(folder, name), "utf8")));

describe("docs/coming-from.md", () => {
  it("has a test for each row that claims something, and a row for each test", () => {
    expect(claimsOf(manual).length).toBeGreaterThan(0);
    expect([...new Set(tests)].toSorted()).toEqual(claimsOf(manual).toSorted());
  });
});

describe("the check of its rows", () => {
  it("finds rows by their numbers, and leaves out those that only say what differs", () => {
    const table = ["| A1 | a | b | c |", "| A2 | a | **Differs.** b | c |", "| A-W1 | a | b | c |"];
    expect(claimsOf(table.join("\n"))).toEqual(["A1", "A-W1"]);
  });

  it("refuses a number that two rows have, and a row without all of its cells", () => {
    expect(() => claimsOf("| A1 | a | b | c |\n| A1 | a | b | c |")).toThrow("A1 is there twice");
    expect(() => claimsOf("| A1 | a | b |")).toThrow("A1 has 3 cells, not 4");
  });

  it("finds tests by the numbers in their names", () => {
    const text = [
      `it("A1: one", …`,
      `  it("B-W2: two", …`,
      `  it.each([1])("C3: three %s", …`,
      `it("other", …`,
    ];
    expect(testsOf(text.join("\n"))).toEqual(["A1", "B-W2", "C3"]);
  });
});
