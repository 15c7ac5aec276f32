import { expect, test } from "@jest/globals";
import { Backoff } from "./backoff.ts";

test("pauses lie between 0.5 s and a bound that grows up to 20 s", () => {
  const [shortest, longest] = [new Backoff(() => 0), new Backoff(() => 1)];
  const bounds = Array.from({ length: 12 }, () => [shortest.next(), Math.round(longest.next())]);
  expect(bounds.map(([low]) => low)).toEqual(Array(12).fill(500));
  expect(bounds.map(([, high]) => high)).toEqual([
    1_000, 1_500, 2_250, 3_375, 5_063, 7_594, 11_391, 17_086, 20_000, 20_000, 20_000, 20_000,
  ]);
});

test("pauses are spread evenly over what is allowed", () => {
  const middle = new Backoff(() => 0.5);
  expect([middle.next(), middle.next()]).toEqual([750, 1_000]);
});

test("pauses are short again after a success", () => {
  const backoff = new Backoff(() => 1);
  for (let tries = 1; tries <= 1_000; tries += 1) backoff.next();
  expect(backoff.next()).toBe(20_000);
  backoff.reset();
  expect(backoff.next()).toBe(1_000);
});
