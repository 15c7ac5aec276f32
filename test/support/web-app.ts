import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect } from "@jest/globals";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { openTab, type Tab } from "./browser.ts";
import { until } from "./wait.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What the browser itself says of a hub that is away; no fault of the page. */
const AWAY = /ERR_CONNECTION|ERR_INTERNET_DISCONNECTED|WebSocket connection to/;

/** Opens tabs for one test, and closes them all after a look at what went wrong in them. */
export class Tabs {
  readonly #tabs: { readonly tab: Tab; readonly url: string }[] = [];
  readonly #browser: Browser;

  constructor(browser: Browser) {
    this.#browser = browser;
  }

  async open(url: string, path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const tab = await openTab(this.#browser, options);
    this.#tabs.push({ tab, url });
    await tab.page.goto(url + path);
    return tab.page;
  }

  /** Closes all. Nothing went wrong, nothing was blocked, and nothing came from anywhere else. */
  async close({ away = false }: { readonly away?: boolean } = {}): Promise<void> {
    const tabs = this.#tabs.splice(0);
    await Promise.all(tabs.map(({ tab }) => tab.context.close()));
    for (const { tab, url } of tabs) {
      const errors = away ? tab.errors.filter((error) => !AWAY.test(error)) : tab.errors;
      expect({ errors, violations: tab.violations }).toEqual({ errors: [], violations: [] });
      const asked = tab.requests.filter((one) => !/^(data|blob):/.test(one));
      expect([...new Set(asked.map((one) => new URL(one).host))]).toEqual([new URL(url).host]);
    }
  }
}

/** Waits until the page says that it is connected. */
export async function live(page: Page): Promise<void> {
  await page.getByText("Live", { exact: true }).waitFor({ timeout: 10_000 });
}

/** Says who is there, and waits until the chat is live. */
export async function enter(page: Page, name: string): Promise<void> {
  await page.getByLabel(/^Your name/).fill(name);
  await page.keyboard.press("Enter");
  await live(page);
}

export async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

/** The texts of a chat, oldest first. */
export function messages(page: Page): Promise<string[]> {
  return page.locator(".message-text").allTextContents();
}

/** The lines of a log that are in sight, oldest first. */
export function lines(page: Page): Promise<string[]> {
  return page.locator(".row-text, .row-note").allTextContents();
}

export function lastLine(page: Page, text: string): Promise<unknown> {
  return until(async () => (await lines(page)).at(-1) === text, 15_000);
}

/** What is wrong with the page for people who don't see or use it the usual way. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    interface Found {
      readonly id: string;
      readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
    }
    const { axe: loaded } = globalThis as unknown as { axe: { run(): Promise<{ violations: Found[] }> } };
    const { violations } = await loaded.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`);
  });
}

/** Publishes log lines `line <from>` to `line <to>` over HTTP, 100 in a request. */
export async function publishLines(url: string, room: string, from: number, to: number): Promise<void> {
  for (let first = from; first <= to; first += 100) {
    const batch = Array.from({ length: Math.min(100, to - first + 1) }, (_, index) => ({
      event: "log",
      data: { message: `line ${first + index}`, level: "INFO", program: "test" },
    }));
    const reply = await fetch(`${url}/rooms/${encodeURIComponent(room)}/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(batch),
    });
    expect(reply.status).toBe(201);
    await reply.arrayBuffer();
  }
}
