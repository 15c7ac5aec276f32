import { expect } from "@jest/globals";
import type { Page } from "playwright-core";
import type { Tab } from "./browser.ts";
import { until } from "./wait.ts";

/** Nothing went wrong, nothing was blocked, and nothing came from anywhere else. */
export function expectClean({ errors, violations, requests }: Tab, url: string): void {
  expect({ errors, violations }).toEqual({ errors: [], violations: [] });
  const hosts = new Set(requests.filter((one) => !one.startsWith("data:")).map((one) => new URL(one).host));
  expect([...hosts]).toEqual([new URL(url).host]);
}

/** The rows of the list, as "name: text". */
export function rows(page: Page): Promise<string[]> {
  return page
    .locator("#messages li")
    .evaluateAll((items) =>
      items.map(
        (item) => `${item.querySelector("b")?.textContent}: ${item.querySelector("span")?.textContent}`,
      ),
    );
}

export function watching(page: Page, room: string): Promise<unknown> {
  return until(async () => (await page.locator("#status").textContent()) === `watching ${room}`, 10_000);
}

export function shows(page: Page, expected: readonly string[]): Promise<unknown> {
  return until(async () => {
    const shown = await rows(page);
    if (shown.length < expected.length) return false;
    expect(shown).toEqual(expected);
    return true;
  }, 10_000);
}
