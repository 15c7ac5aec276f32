import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from "playwright-core";
import { requireChromium } from "./programs.mjs";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A tab, and what must not happen in it. */
export interface Tab {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of its console and of its scripts. */
  readonly errors: string[];
  /** What its Content-Security-Policy has stopped. */
  readonly violations: string[];
  /** Addresses that it asked for, WebSockets too. */
  readonly requests: string[];
}

/** Starts the real browser. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: requireChromium(), args: FLAGS });
}

/** Opens an empty tab of its own, with nothing shared. */
export async function openTab(browser: Browser, options: BrowserContextOptions = {}): Promise<Tab> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const tab: Tab = { page, context, errors: [], violations: [], requests: [] };
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") tab.errors.push(message.text());
  });
  page.on("pageerror", (error) => tab.errors.push(error.message));
  page.on("dialog", (dialog) => {
    tab.errors.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => tab.requests.push(request.url()));
  page.on("websocket", (socket) => tab.requests.push(socket.url()));
  await page.exposeFunction("tellViolation", (what: string) => tab.violations.push(what));
  await page.addInitScript(() => {
    const { tellViolation } = globalThis as unknown as { tellViolation: (what: string) => void };
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      tellViolation(`${violatedDirective} ${blockedURI}`),
    );
  });
  return tab;
}
