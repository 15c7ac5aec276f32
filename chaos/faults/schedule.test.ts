import { describe, expect, test } from "@jest/globals";
import { FAULT_KINDS, schedule, type Step } from "./schedule.ts";

function first(count: number, seed: number, kinds = FAULT_KINDS): Step[] {
  const steps = schedule(seed, kinds, 3);
  return Array.from({ length: count }, () => steps.next().value as Step);
}

describe("the schedule of faults", () => {
  test("follows from the seed alone", () => {
    expect(first(50, 7)).toEqual(first(50, 7));
    expect(first(50, 7)).not.toEqual(first(50, 8));
  });

  test("strikes with one or two at once, for 1 to 8 s each, and pauses", () => {
    for (const { faults, pauseMs } of first(500, 1)) {
      expect([1, 2]).toContain(faults.length);
      for (const { lastsMs, node } of faults) {
        expect(lastsMs >= 1_000 && lastsMs <= 8_000).toBe(true);
        expect([0, 1, 2]).toContain(node);
      }
      expect(pauseMs).toBeGreaterThan(1_000);
    }
  });

  test("never strikes the same process twice at once", () => {
    for (const { faults } of first(2_000, 2)) {
      const places = faults.map(({ kind, node }) => (kind.strikes === "node" ? node : "redis"));
      expect(new Set(places).size).toBe(places.length);
    }
  });

  test("has every kind before any comes again", () => {
    const drawn = first(40, 3).flatMap(({ faults }) => faults.map(({ kind }) => kind.name));
    expect(new Set(drawn.slice(0, FAULT_KINDS.length + 3)).size).toBeGreaterThanOrEqual(
      FAULT_KINDS.length - 1,
    );
  });

  test("does with a single kind", () => {
    const [kind] = FAULT_KINDS;
    expect(first(20, 4, [kind!]).every(({ faults }) => faults.every((one) => one.kind === kind))).toBe(true);
  });
});
