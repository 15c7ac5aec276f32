import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { Nodes, type StockClient } from "../support/nodes.ts";
import { until } from "../support/wait.ts";
import { barriers, enter, lastLine, live, messages, publishLines, say } from "../support/web-app.ts";
import { webStage } from "../support/web-stage.ts";

const PHONE = { viewport: { width: 390, height: 800 } };

const stage = webStage();
let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

async function guest(name: string, room = "chat:lobby"): Promise<StockClient> {
  const client = await nodes.client(stage.hub.url, { auth: { username: name } });
  await client.join(room, { presence: true });
  return client;
}

/** Who is in the roster, as it is read. */
function roster(page: Page): Promise<string[]> {
  return page.locator(".person").allTextContents();
}

function moves(page: Page): Promise<string[]> {
  return page.locator(".moves-note").allTextContents();
}

describe("the roster of a chat", () => {
  test("has everybody once, oneself first, and follows who comes and goes", async () => {
    const ana = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(ana, "Ana");
    await until(async () => (await roster(ana)).join() === "Anayou");
    const ben = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(ben, "Ben");
    const second = await ben.context().newPage();
    await second.goto(`${stage.hub.url}/chat/lobby`);
    await live(second);
    await until(async () => (await roster(ana)).join() === "Anayou,Ben");
    await until(async () => (await roster(ben)).join() === "Benyou,Ana");
    expect(await roster(second)).toEqual(["Benyou", "Ana"]);
    expect(await ana.getByRole("complementary", { name: "People here" }).isVisible()).toBe(true);
    expect(await ana.getByRole("button", { name: /here/ }).isVisible()).toBe(false);
    await second.close();
    const cem = await guest("Cem");
    await until(async () => (await roster(ana)).join() === "Anayou,Ben,Cem");
    await cem.ask("leave", { room: "chat:lobby" });
    await until(async () => (await roster(ana)).join() === "Anayou,Ben");
  });

  test("is behind a button with the count on a phone, for the keyboard as well", async () => {
    await guest("Ben");
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby", PHONE);
    await enter(page, "Ana");
    const button = page.getByRole("button", { name: "2 here" });
    await button.waitFor();
    const panel = page.getByRole("complementary", { name: "People here" });
    expect(await panel.isVisible()).toBe(false);
    await button.focus();
    await page.keyboard.press("Enter");
    await panel.waitFor();
    expect(await button.getAttribute("aria-expanded")).toBe("true");
    expect(await roster(page)).toEqual(["Anayou", "Ben"]);
    expect(await barriers(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await page.keyboard.press("Escape");
    await until(async () => !(await panel.isVisible()));
    expect(await button.evaluate((element) => element === document.activeElement)).toBe(true);
  });

  test("has no barrier with many people, long names and lines of comings", async () => {
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(page, "Ana");
    await Promise.all(Array.from({ length: 60 }, (_, n) => guest(`${n}-${"long".repeat(14)}`)));
    await until(async () => (await roster(page)).length === 61, 20_000);
    expect(await barriers(page)).toEqual([]);
    await say(page, "so many");
    expect((await moves(page)).join()).toMatch(/^\d+-[long]+, \d+-[long]+ and 58 others joined$/);
  });
});

describe("comings and goings in a chat", () => {
  test("are quiet lines, for those only who come while the page is there, and not in the history", async () => {
    const ben = await guest("Ben");
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(page, "Ana");
    await until(async () => (await roster(page)).length === 2);
    expect(await moves(page)).toEqual([]);
    await guest("Cem");
    await guest("Dan");
    await until(async () => (await moves(page)).join() === "Cem and Dan joined");
    await say(page, "hello all");
    await ben.ask("leave", { room: "chat:lobby" });
    await until(async () => (await moves(page)).at(-1) === "Ben left");
    expect(await page.locator(".moves-note").first().getAttribute("aria-live")).toBe("off");
    await page.reload();
    await until(async () => (await messages(page)).join() === "hello all");
    expect(await moves(page)).toEqual([]);
  });

  test("are not told of those who stayed while the connection was lost", async () => {
    await guest("Ben");
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(page, "Ana");
    await until(async () => (await roster(page)).length === 2);
    await page.context().setOffline(true);
    await page.getByText("Connection lost, coming back").waitFor();
    expect(await roster(page)).toEqual(["Anayou", "Ben"]);
    await page.context().setOffline(false);
    await live(page);
    await guest("Cem");
    await until(async () => (await moves(page)).join() === "Cem joined");
    await stage.tabs.close({ away: true });
  });
});

describe("typing in a chat", () => {
  test("is seen by the others until the message comes or nothing more does", async () => {
    const [ana, ben] = [
      await stage.tabs.open(stage.hub.url, "/chat/lobby"),
      await stage.tabs.open(stage.hub.url, "/chat/lobby"),
    ];
    await enter(ana, "Ana");
    await enter(ben, "Ben");
    await ben.getByLabel("Message", { exact: true }).fill("hel");
    await ana.getByText("Ben is typing…").waitFor();
    expect(await ben.locator(".typing-line").textContent()).toBe("");
    await say(ben, "hello");
    await until(async () => (await ana.locator(".typing-line").textContent()) === "");
    const cem = await guest("Cem");
    const dan = await guest("Dan");
    for (const client of [cem, dan])
      await client.ask("publish", { room: "chat:lobby", event: "typing", data: {}, ephemeral: true });
    await ana.getByText("Cem and Dan are typing…").waitFor();
    await until(async () => (await ana.locator(".typing-line").textContent()) === "", 10_000);
  });
});

describe("a name that is taken", () => {
  test("is told beside the form, and another one goes on with what was typed", async () => {
    await guest("Ana");
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await page.getByLabel(/^Your name/).fill("ANA");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("Somebody else here is called ANA").waitFor();
    expect(await barriers(page)).toEqual([]);
    await enter(page, "Ben");
    await until(async () => (await roster(page)).join() === "Benyou,Ana");
    await page.getByLabel("Message", { exact: true }).fill("half a word");
    await page.getByRole("button", { name: "You are Ben: change the name" }).click();
    await page.getByLabel(/^Your name/).fill("Ana");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("Somebody else here is called Ana").waitFor();
    await enter(page, "Eva");
    expect(await page.getByLabel("Message", { exact: true }).inputValue()).toBe("half a word");
  });
});

describe("the log page", () => {
  test("says how many people watch", async () => {
    const page = await stage.tabs.open(stage.hub.url, "/stream/x");
    await page.getByText("1 watching", { exact: true }).waitFor();
    const other = await guest("Ben", "stream:x");
    await page.getByText("2 watching", { exact: true }).waitFor();
    await other.ask("leave", { room: "stream:x" });
    await page.getByText("1 watching", { exact: true }).waitFor();
  });

  test("says whether its program is live or has ended, and nothing of a plain sender", async () => {
    await publishLines(stage.hub.url, "stream:x", 1, 1);
    const page = await stage.tabs.open(stage.hub.url, "/stream/x");
    await lastLine(page, "line 1");
    expect(await page.locator(".source-state").textContent()).toBe("");
    const args = ["--room", "x", "--url", stage.hub.url];
    const pipe = stage.commands.start(["pipe", ...args, "--program", "tests"]);
    await page.getByText("live: tests", { exact: true }).waitFor();
    const run = stage.commands.start(["run", ...args, "--program", "make", "--", "cat"]);
    await page.getByText("live: tests and make", { exact: true }).waitFor();
    expect(await barriers(page)).toEqual([]);
    run.process.stdin!.end();
    await run.exit();
    await page.getByText("live: tests; ended: make", { exact: true }).waitFor();
    pipe.process.stdin!.end("last\n");
    await pipe.exit();
    await page.getByText("ended", { exact: true }).waitFor();
    await until(async () => (await page.locator(".log-row").count()) === 3);
    await page.reload();
    // What it has kept of the run.
    await page.getByText("ended", { exact: true }).waitFor();
  });
});
