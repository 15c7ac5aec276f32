import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { buildSync } from "esbuild";
import type { Browser } from "playwright-core";
import { launchBrowser, openTab, type Tab } from "../support/browser.ts";
import { Commands, type ServeCommand } from "../support/commands.ts";
import { packageRoot } from "../support/run-node.ts";
import { until } from "../support/wait.ts";

let browser: Browser;
let commands: Commands;
/** The built one, as it is served. */
let hub: ServeCommand;
let site: Server;
/** Another port of this machine than the hub's. */
let origin: string;
let script: string;

beforeAll(async () => {
  browser = await launchBrowser();
});

beforeEach(async () => {
  commands = new Commands();
  hub = await commands.serve();
  site = createServer(({ url }, response) => {
    response.setHeader("content-type", url === "/page.js" ? "text/javascript" : "text/html");
    response.end(url === "/page.js" ? script : PAGE);
  });
  await once(site.listen(0, "127.0.0.1"), "listening");
  origin = `http://localhost:${(site.address() as AddressInfo).port}/`;
});

afterEach(async () => {
  site.closeAllConnections();
  site.close();
  await commands.close();
});

afterAll(() => browser?.close());

const PAGE = `<!doctype html><link rel="icon" href="data:,"><ul></ul><script type="module" src="page.js"></script>`;

const CHAT = (from: string, url: string): string => `import { connect } from "${from}";
const room = connect("${url}", { username: "ana" }).room("chat:lobby", { rewind: 50 });
room.on("message", ({ text }, { from }) => {
  document.querySelector("ul").append(Object.assign(document.createElement("li"), { textContent: text, title: from.user }));
});
await room.join();
await room.publish("message", { text: "hello" });
`;

const shown = (tab: Tab): Promise<string[]> => tab.page.locator("li").allTextContents();
const users = (tab: Tab): Promise<(string | null)[]> =>
  tab.page.locator("li").evaluateAll((items) => items.map((item) => item.getAttribute("title")));

describe("a page of another origin", () => {
  test("uses the SDK as the hub serves it, and its tabs and visits are one guest", async () => {
    script = CHAT(`${hub.url}/roomcast.js`, hub.url);
    const tab = await openTab(browser);
    await tab.page.goto(origin);
    await until(async () => (await shown(tab)).length === 1);
    await tab.page.reload();
    await until(async () => (await shown(tab)).length === 2);
    const second = await tab.context.newPage();
    await second.goto(origin);
    await until(async () => (await shown(tab)).length === 3);
    const [user, ...others] = await users(tab);
    expect(others).toEqual([user, user]);
    expect({ errors: tab.errors, violations: tab.violations }).toEqual({ errors: [], violations: [] });
    await tab.context.close();
  });

  test("uses the SDK out of its own bundle", async () => {
    const { outputFiles } = buildSync({
      stdin: { contents: CHAT("./dist/client/sdk/index.js", hub.url), resolveDir: packageRoot },
      bundle: true,
      format: "esm",
      write: false,
    });
    script = outputFiles[0]!.text;
    const tab = await openTab(browser);
    await tab.page.goto(origin);
    await until(async () => (await shown(tab)).length === 1);
    expect(tab.errors).toEqual([]);
    await tab.context.close();
  });

  test("goes on by itself after its browser was offline", async () => {
    script = `import { connect } from "${hub.url}/roomcast.js";
const client = connect("${hub.url}").on("status", (status) => (document.title = status));
const room = client.room("chat:lobby", { rewind: 50 });
room.onAny((event, { text }) => document.querySelector("ul").append(Object.assign(document.createElement("li"), { textContent: text })));
await room.join();
await room.publish("message", { text: "hello" });`;
    const tab = await openTab(browser);
    await tab.page.goto(origin);
    await until(async () => (await shown(tab)).length === 1);
    await tab.context.setOffline(true);
    await tab.page.waitForFunction(() => document.title === "reconnecting");
    const body = JSON.stringify({ event: "message", data: { text: "meanwhile" } });
    const headers = { "content-type": "application/json" };
    await fetch(`${hub.url}/rooms/chat%3Alobby/messages`, { method: "POST", body, headers });
    await tab.context.setOffline(false);
    await until(async () => (await shown(tab)).length === 2);
    expect(await shown(tab)).toEqual(["hello", "meanwhile"]);
    await tab.context.close();
  });
});
