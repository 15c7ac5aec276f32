import { expect, test } from "@jest/globals";
import { Histogram } from "./histogram.ts";

test("a histogram tells percentiles within 1 %, of several processes together", () => {
  const [even, odd] = [new Histogram(), new Histogram()];
  for (let ms = 1; ms <= 1_000; ms += 1) (ms % 2 === 0 ? even : odd).add(ms * 1_000);
  even.merge(odd.counts);
  expect(even.percentile(0.5) / 500).toBeCloseTo(1, 1.9);
  expect(even.percentile(0.99) / 990).toBeCloseTo(1, 1.9);
});

test("a histogram of nothing has no percentile", () => {
  expect(new Histogram().percentile(0.5)).toBeNaN();
});
