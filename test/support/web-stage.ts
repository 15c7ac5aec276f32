import { afterAll, afterEach, beforeAll, beforeEach } from "@jest/globals";
import type { Browser } from "playwright-core";
import { launchBrowser } from "./browser.ts";
import { Commands, type ServeCommand } from "./commands.ts";
import { Tabs } from "./web-app.ts";

/** What each test of the web app has: tabs of one browser, commands, and a hub of its own. */
export interface WebStage {
  readonly tabs: Tabs;
  readonly commands: Commands;
  /** A test may put another in its place. */
  hub: ServeCommand;
}

/** Sets the stage for every test of a file, and clears it. */
export function webStage(): WebStage {
  const stage = {} as { -readonly [name in keyof WebStage]: WebStage[name] };
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    stage.commands = new Commands();
    stage.tabs = new Tabs(browser!);
    stage.hub = await stage.commands.serve();
  });
  afterEach(async () => {
    try {
      // Before the hub: a page whose hub goes away says so on its console.
      await stage.tabs.close();
    } finally {
      await stage.commands.close();
    }
  });
  return stage;
}
