import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Nodes } from "../support/nodes.ts";
import { until } from "../support/wait.ts";
import { enter, live, messages, say } from "../support/web-app.ts";
import { webStage } from "../support/web-stage.ts";

const stage = webStage();

let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

describe("the chat page", () => {
  test("lets two people talk who opened the same room by its link", async () => {
    const ana = await stage.tabs.open(stage.hub.url, "/");
    await ana.getByLabel("Name of the room").fill("team room");
    await ana.getByRole("button", { name: "Open", exact: true }).click();
    await enter(ana, "Ana");
    expect(ana.url()).toBe(`${stage.hub.url}/chat/team-room`);
    const ben = await stage.tabs.open(stage.hub.url, "/chat/team-room");
    await enter(ben, "Ben");
    await say(ana, "hello Ben");
    await say(ben, "hello Ana");
    for (const page of [ana, ben]) {
      await until(async () => (await messages(page)).length === 2);
      expect(await messages(page)).toEqual(["hello Ben", "hello Ana"]);
    }
    expect(await ben.locator(".from").allTextContents()).toEqual(["Ana", "You"]);
    await until(async () => (await ana.locator(".message-state").textContent()) === "Sent");
  });

  test("keeps name, history and which messages are one's own over a reload", async () => {
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(page, "Ana");
    await say(page, "one");
    await say(page, "two");
    await until(
      async () => (await page.locator(".own .message-state").allTextContents()).join() === "Sent,Sent",
    );
    await page.reload();
    await live(page);
    await until(async () => (await messages(page)).join() === "one,two");
    expect(await page.locator(".own").count()).toBe(2);
    expect(await page.getByRole("button", { name: "You are Ana: change the name" }).isVisible()).toBe(true);
  });

  test("begins a new line with Shift+Enter, and sends nothing empty", async () => {
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(page, "Ana");
    await page.keyboard.press("Enter");
    await page.getByLabel("Message", { exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.type("one");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("two");
    await page.keyboard.press("Enter");
    await until(async () => (await messages(page)).length === 1);
    expect(await messages(page)).toEqual(["one\ntwo"]);
  });

  test("fetches older messages on scrolling up, and what is read stays where it is", async () => {
    const ana = await nodes.client(stage.hub.url, { auth: { username: "ana" } });
    for (let n = 1; n <= 120; n += 1) {
      await until(async () => {
        const data = { text: `text ${n}` };
        return (await ana.ask("publish", { room: "chat:lobby", event: "message", data, id: `m-${n}` })).ok;
      });
    }
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby", {
      viewport: { width: 390, height: 700 },
    });
    await enter(page, "Ben");
    await until(async () => (await messages(page)).at(-1) === "text 120");
    expect((await messages(page))[0]).toBe("text 71");
    const top = (text: string): Promise<number> =>
      page.getByText(text, { exact: true }).evaluate((element) => element.getBoundingClientRect().top);
    await page.locator(".chat-scroller").evaluate((list) => (list.scrollTop = 100));
    const before = await top("text 74");
    await until(async () => (await messages(page)).length > 50);
    expect(Math.abs((await top("text 74")) - before)).toBeLessThan(2);
    await until(async () => {
      await page.locator(".chat-scroller").evaluate((list) => (list.scrollTop = 0));
      return page.getByText("This is the beginning").isVisible();
    });
    expect(await messages(page)).toEqual(Array.from({ length: 120 }, (_, index) => `text ${index + 1}`));
    await page.getByRole("button", { name: /newest/ }).click();
    await until(() => page.getByText("text 120", { exact: true }).isVisible());
  });

  test("counts in the title what came while nobody looked", async () => {
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(page, "Ana");
    await page.evaluate(() =>
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true }),
    );
    const ben = await nodes.client(stage.hub.url, { auth: { username: "ben" } });
    for (const text of ["1", "2"])
      await ben.ask("publish", { room: "chat:lobby", event: "message", data: { text } });
    await until(async () => (await page.title()) === "(2) lobby – roomcast");
    await page.evaluate(() => {
      Object.defineProperty(document, "visibilityState", { value: "visible", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    expect(await page.title()).toBe("lobby – roomcast");
  });

  test("says when one sends too fast, keeps the text, and sends it on demand", async () => {
    const config = join(await mkdtemp(join(tmpdir(), "roomcast-web-")), "config.json");
    await writeFile(config, JSON.stringify({ limits: { messagesPerSecond: 1, messageBurst: 3 } }));
    stage.hub = await stage.commands.serve(["--config", config]);
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(page, "Ana");
    for (let n = 1; n <= 8; n += 1) await say(page, `text ${n}`);
    await until(() => page.getByRole("alert").getByText("too many messages at once").isVisible(), 10_000);
    const failed = page.locator(".is-failed");
    const text = await failed.first().locator(".message-text").textContent();
    const count = await failed.count();
    await until(async () => {
      await failed.first().getByRole("button", { name: "Retry" }).click();
      return (await failed.count()) < count;
    });
    expect((await messages(page)).filter((one) => one === text)).toEqual([text]);
  });

  test("keeps what is typed while there is no connection, says so, and goes on", async () => {
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(page, "Ana");
    await page.context().setOffline(true);
    await page.getByText("Connection lost, coming back").waitFor();
    await say(page, "written offline");
    await page.getByText("Your text is kept").waitFor();
    await page.context().setOffline(false);
    await live(page);
    expect(await page.getByLabel("Message", { exact: true }).inputValue()).toBe("written offline");
    await page.getByLabel("Message", { exact: true }).press("Enter");
    await until(async () => (await messages(page)).join() === "written offline");
    await stage.tabs.close({ away: true });
  });

  test("goes on by itself when the hub was killed and is back, and says that its memory is gone", async () => {
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(page, "Ana");
    await say(page, "before");
    await until(async () => (await page.locator(".message-state").textContent()) === "Sent");
    await page.getByLabel("Message", { exact: true }).fill("still typing");
    await stage.hub.end("SIGKILL");
    await page.getByText("Connection lost, coming back").waitFor();
    await stage.commands.serve(["--port", new URL(stage.hub.url).port]);
    const back = performance.now();
    await live(page);
    expect(performance.now() - back).toBeLessThan(5_000);
    await page.locator(".gap-note").waitFor();
    expect(await page.getByLabel("Message", { exact: true }).inputValue()).toBe("still typing");
    await page.getByLabel("Message", { exact: true }).press("Enter");
    await until(async () => (await messages(page)).join() === "before,still typing");
    await stage.tabs.close({ away: true });
  });

  test("shows hostile text as text, and links only to web addresses", async () => {
    const hostile = `<img src=x onerror=alert(1)> javascript:alert(1) https://a.example/?q=<b>`;
    const mallory = await nodes.client(stage.hub.url, { auth: { username: `<script>alert(1)</script>` } });
    await mallory.ask("publish", { room: "chat:lobby", event: "message", data: { text: hostile } });
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(page, "<b>Ana");
    await until(async () => (await messages(page)).join() === hostile);
    expect(await page.locator(".from").textContent()).toBe("<script>alert(1)</script>");
    expect(await page.locator(".messages :is(img, script, b)").count()).toBe(0);
    const links = page.locator(".messages a");
    expect(await links.evaluateAll((all) => all.map((link) => link.getAttribute("href")))).toEqual([
      "https://a.example/?q=",
    ]);
    expect(await links.first().getAttribute("rel")).toContain("noopener");
  });
});
