import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { launchBrowser, openTab, type Tab } from "../support/browser.ts";
import { Commands, type ServeCommand } from "../support/commands.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { Nodes, type StockClient } from "../support/nodes.ts";
import { expectClean, rows, shows, watching } from "../support/start-page.ts";
import { until } from "../support/wait.ts";

let browser: Browser;
let commands: Commands;
let nodes: Nodes;
let hub: ServeCommand;
let tabs: Tab[];
let ana: StockClient;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser?.close());

beforeEach(async () => {
  commands = new Commands();
  nodes = new Nodes();
  tabs = [];
  hub = await commands.serve();
  ana = await nodes.client(hub.url, { auth: { username: "ana" } });
});

afterEach(async () => {
  await Promise.all(tabs.map(({ context }) => context.close()));
  await nodes.close();
  await commands.close();
});

async function open(path: string, url = hub.url, options: BrowserContextOptions = {}): Promise<Tab> {
  const tab = await openTab(browser, options);
  tabs.push(tab);
  await tab.page.goto(url + path);
  return tab;
}

async function say(text: string, room = "chat:lobby"): Promise<void> {
  const reply = await ana.ask("publish", { room, event: "message", data: { text } });
  expect(reply).toMatchObject({ ok: true });
}

describe("the start page", () => {
  test("shows what a room has and what comes, and sends", async () => {
    await say("earlier");
    const tab = await open("/");
    const { page } = tab;
    await expect(page.locator("#send").isVisible()).resolves.toBe(false);
    await page.getByLabel("Room").fill("chat:lobby");
    await page.getByRole("button", { name: "Watch" }).click();
    await watching(page, "chat:lobby");
    await shows(page, ["ana: earlier"]);
    await say("live");
    await shows(page, ["ana: earlier", "ana: live"]);

    await ana.join("chat:lobby");
    await page.getByRole("textbox", { name: "Message" }).fill("from the page");
    await page.getByRole("button", { name: "Send" }).click();
    await until(() => ana.messages.length === 1);
    const [{ data, meta }] = ana.messages as [StockClient["messages"][number]];
    expect(data).toEqual({ text: "from the page" });
    await shows(page, ["ana: earlier", "ana: live", `${meta.from!.name}: from the page`]);
    expect(await page.getByRole("textbox", { name: "Message" }).inputValue()).toBe("");
    expect(page.url()).toBe(`${hub.url}/?room=chat%3Alobby`);
    expectClean(tab, hub.url);
  });

  test("begins with the last 50 messages of a longer room", async () => {
    for (let n = 1; n <= 55; n += 1) await say(String(n));
    const { page } = await open("/?room=chat:lobby");
    await shows(
      page,
      Array.from({ length: 50 }, (_, i) => `ana: ${i + 6}`),
    );
  });

  test("goes on after a lost connection with nothing lost or doubled", async () => {
    const proxy = await FaultProxy.start(Number(new URL(hub.url).port));
    try {
      await say("1");
      const { page, violations, errors } = await open("/?room=chat:lobby", `http://127.0.0.1:${proxy.port}`);
      await shows(page, ["ana: 1"]);
      for (let n = 2; n <= 6; n += 2) {
        await proxy.set("refuse");
        proxy.resetAll();
        await until(async () =>
          /lost|no connection/.test((await page.locator("#status").textContent()) ?? ""),
        );
        await say(String(n));
        await proxy.set("pass");
        await watching(page, "chat:lobby");
        await say(String(n + 1));
        await shows(
          page,
          Array.from({ length: n + 1 }, (_, i) => `ana: ${i + 1}`),
        );
      }
      // What the browser itself says of a hub that is away is no fault of the page.
      expect(errors.filter((text) => !/ERR_CONNECTION|WebSocket connection to/.test(text))).toEqual([]);
      expect(violations).toEqual([]);
    } finally {
      await Promise.all(tabs.splice(0).map(({ context }) => context.close()));
      await proxy.close();
    }
  });

  test("says that messages are gone after the hub has begun a new log", async () => {
    await say("before");
    const { page } = await open("/?room=chat:lobby");
    await shows(page, ["ana: before"]);
    await hub.end("SIGKILL");
    await commands.serve(["--port", new URL(hub.url).port]);
    await until(() => ana.socket.connected, 10_000);
    await say("after");
    await until(async () => (await rows(page)).length === 3, 10_000);
    expect(await rows(page)).toEqual([
      "ana: before",
      "the log that was here before is gone: epoch_changed",
      "ana: after",
    ]);
  });

  test("shows the room that a stream's address names, also by way of /live", async () => {
    const response = await fetch(`${hub.url}/live/build-42`, {
      method: "POST",
      body: new URLSearchParams({ message: "compiled", program: "make" }),
    });
    expect(response.status).toBe(204);
    for (const path of ["/stream/build-42", "/live/build-42"]) {
      const tab = await open(path);
      await watching(tab.page, "stream:build-42");
      await shows(tab.page, ["INFO make: compiled"]);
      expect(await tab.page.getByLabel("Room").inputValue()).toBe("stream:build-42");
      expect(new URL(tab.page.url()).pathname).toBe("/stream/build-42");
      expectClean(tab, hub.url);
    }
    const { page } = await open(`/stream/${encodeURIComponent("größe/2")}`);
    await watching(page, "stream:größe/2");
  });

  test("works by keyboard alone, and shows where the focus is", async () => {
    await say("earlier");
    const tab = await open("/");
    const { page } = tab;
    const focused = (): Promise<string> =>
      page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        const visible = getComputedStyle(element).outlineStyle !== "none";
        return `${element.id || element.textContent} ${visible}`;
      });
    await page.keyboard.type("chat:lobby");
    expect(await focused()).toBe("room true");
    await page.keyboard.press("Enter");
    await shows(page, ["ana: earlier"]);
    const order: string[] = [];
    for (let stop = 0; stop < 4; stop += 1) {
      await page.keyboard.press("Tab");
      order.push(await focused());
      if (order.at(-1) === "text true") await page.keyboard.type("by keyboard");
    }
    expect(order).toEqual(["Watch true", "messages true", "text true", "Send true"]);
    await page.keyboard.press("Enter");
    await until(async () => (await rows(page)).at(-1)?.endsWith(": by keyboard"));
    expectClean(tab, hub.url);
  });

  test("changes rooms, and says why one is refused for as long as it matters", async () => {
    await say("in the lobby");
    await say("elsewhere", "chat:other");
    const tab = await open("/?room=chat:lobby");
    const { page } = tab;
    const hint = page.locator("#hint");
    await shows(page, ["ana: in the lobby"]);
    await page.getByLabel("Room").fill("no room");
    await page.keyboard.press("Enter");
    await until(async () => (await page.getByRole("alert").textContent())?.includes("the room has no kind"));
    expect(await hint.isVisible()).toBe(false);
    expect(await rows(page)).toEqual([]);
    expect(await page.locator("#send").isVisible()).toBe(false);
    await page.getByLabel("Room").fill("chat:other");
    await page.keyboard.press("Enter");
    await shows(page, ["ana: elsewhere"]);
    // Not asked for yet, so what is sent goes where it is shown.
    await page.getByLabel("Room").fill("chat:lobby");
    expect(await page.getByRole("alert").isVisible()).toBe(false);
    expect(await hint.isVisible()).toBe(true);
    await say("not for this page");
    await say("for this page", "chat:other");
    await shows(page, ["ana: elsewhere", "ana: for this page"]);
    await page.getByRole("textbox", { name: "Message" }).fill("answer");
    await page.keyboard.press("Enter");
    await until(async () => (await rows(page)).at(-1)?.endsWith(": answer"));
    expectClean(tab, hub.url);
  });

  test("keeps text whose answer is lost, and makes one message of it when it is sent again", async () => {
    const proxy = await FaultProxy.start(Number(new URL(hub.url).port));
    const tab = await open("/?room=stream:x", `http://127.0.0.1:${proxy.port}`);
    try {
      const { page } = tab;
      await watching(page, "stream:x");
      await until(() => tab.requests.some((url) => url.startsWith("ws:")));
      const input = page.getByRole("textbox", { name: "Message" });
      await input.fill("once");
      await proxy.set("lose");
      await page.keyboard.press("Enter");
      await until(
        async () => /did not answer/.test((await page.getByRole("alert").textContent()) ?? ""),
        10_000,
      );
      expect(proxy.lost).toBeGreaterThan(0);
      expect(await input.inputValue()).toBe("once");
      await proxy.set("pass");
      await watching(page, "stream:x");
      await input.press("Enter");
      await until(async () => (await input.inputValue()) === "");
      await shows(page, ["INFO page: once"]);
      await say("last", "stream:x");
      await shows(page, ["INFO page: once", "ana: last"]);
    } finally {
      await tab.context.close();
      await proxy.close();
    }
  });

  test.each([
    `<img src=x onerror="alert(1)">`,
    `<script>alert(1)</script>`,
    `"><svg/onload=alert(1)>`,
    `</span></li></ol><iframe src="javascript:alert(1)"></iframe>`,
    `{{constructor.constructor("alert(1)")()}}`,
  ])("shows %s as text, in messages, names and all fields of a log entry", async (hostile) => {
    const name = hostile.slice(0, 64);
    const mallory = await nodes.client(hub.url, { auth: { username: name } });
    for (const [room, event, data] of [
      ["chat:lobby", "message", { text: hostile }],
      ["chat:lobby", "other", { [hostile]: hostile }],
      ["stream:x", "log", { message: hostile, level: hostile, program: hostile }],
    ] as const) {
      expect(await mallory.ask("publish", { room, event, data })).toMatchObject({ ok: true });
    }
    const chat = await open("/?room=chat:lobby");
    await shows(chat.page, [`${name}: ${hostile}`, `other: ${JSON.stringify({ [hostile]: hostile })}`]);
    const stream = await open("/stream/x");
    await shows(stream.page, [`${hostile} ${hostile}: ${hostile}`]);
    for (const tab of [chat, stream]) {
      expect(await tab.page.locator("#messages :is(img, script, svg, iframe)").count()).toBe(0);
      expectClean(tab, hub.url);
    }
  });

  test("refuses to run what a hostile address brings", async () => {
    const tab = await open(`/?room=${encodeURIComponent("<img src=x onerror=alert(1)>")}`);
    await until(async () => /no kind/.test((await tab.page.getByRole("alert").textContent()) ?? ""));
    expect(await tab.page.locator("img").count()).toBe(0);
    expectClean(tab, hub.url);
  });
});

describe.each([390, 1280])("the start page at %d px", (width) => {
  test.each(["light", "dark"] as const)("fits its %s window, with long text too", async (colorScheme) => {
    await say("short");
    await say("x".repeat(3_000));
    await say("words ".repeat(300).trim());
    const { page } = await open("/?room=chat:lobby", hub.url, {
      viewport: { width, height: 800 },
      colorScheme,
    });
    await until(async () => (await rows(page)).length === 3);
    const size = await page.evaluate(() => {
      const { scrollWidth, scrollHeight } = document.documentElement;
      return [scrollWidth, scrollHeight];
    });
    expect(size).toEqual([width, 800]);
    const text = page.getByRole("textbox", { name: "Message" });
    await expect(text.isVisible()).resolves.toBe(true);
    // The newest message is in sight.
    expect(
      await page
        .locator("#messages")
        .evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight),
    ).toBe(0);
  });
});
