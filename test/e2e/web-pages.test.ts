import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { packageRoot } from "../support/run-node.ts";
import { until } from "../support/wait.ts";
import { barriers, enter, lines, live, publishLines, say } from "../support/web-app.ts";
import { webStage } from "../support/web-stage.ts";

const stage = webStage();

async function createLog(page: Page): Promise<void> {
  await page.getByLabel("Name of the log").fill("my build");
  await page.getByRole("button", { name: "Create" }).click();
}

describe("the start page", () => {
  test.each([
    ["roomcast run", ["one", "two", "printf ended with exit code 0"]],
    ["curl", ["hello from curl"]],
    ["Node", ["one", "two"]],
    ["Python", ["one", "two"]],
  ])("gives a %s snippet that works as it stands", async (name, expected) => {
    const page = await stage.tabs.open(stage.hub.url, "/");
    await createLog(page);
    await page.getByRole("button", { name, exact: true }).click();
    const code = (await page.locator(".snippets code").textContent())!;
    const own = code.replace("ls -l", String.raw`printf 'one\ntwo\n'`);
    const run = await stage.commands.run(["-c", own], { program: ["bash"] });
    expect(run).toMatchObject({ code: 0, err: /^(curl|roomcast run)$/.test(name) ? expect.any(String) : "" });
    await page.getByRole("link", { name: "Open log" }).click();
    await until(async () => (await lines(page)).join() === expected.join(), 10_000);
    expect(page.url()).toBe(`${stage.hub.url}/stream/my-build`);
  });

  test("remembers the rooms that were visited, and says why a name will not do", async () => {
    const page = await stage.tabs.open(stage.hub.url, "/chat/lobby");
    await enter(page, "Ana");
    await page.getByRole("link", { name: "roomcast, start page" }).click();
    await page.getByRole("link", { name: "Chat lobby" }).waitFor();
    await page.getByLabel("Name of the room").fill("a?b");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("not allowed").waitFor();
    await page.goBack();
    await live(page);
  });

  test("loads at most 60 kB for the first view, all of it from the hub", async () => {
    const folder = join(packageRoot, "dist/client/web");
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    const sizes = files
      // For other people's pages; this one does not load it.
      .filter(({ name }) => name !== "roomcast.js")
      .map(({ parentPath, name }) => gzipSync(readFileSync(join(parentPath, name))).length);
    expect(sizes.length).toBeGreaterThan(2);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(60_000);
  });

  test("says that there is no such page", async () => {
    const page = await stage.tabs.open(stage.hub.url, "/chat/no%20room");
    await page.getByRole("heading", { name: "Nothing here" }).waitFor();
  });
});

describe.each([390, 1280])("at %d px", (width) => {
  test.each(["light", "dark"] as const)("no page has a barrier or is too wide, %s", async (colorScheme) => {
    const options = { colorScheme, viewport: { width, height: 800 } };
    const check = async (page: Page): Promise<void> => {
      expect(await barriers(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    };
    const page = await stage.tabs.open(stage.hub.url, "/", options);
    await createLog(page);
    await check(page);
    await page.goto(`${stage.hub.url}/chat/lobby`);
    await check(page);
    await enter(page, "Ana");
    await say(page, `hello https://a.example/${"x".repeat(300)}`);
    await page.getByText("Sent", { exact: true }).waitFor();
    await check(page);
    await page.goto(`${stage.hub.url}/stream/x`);
    await live(page);
    await check(page);
    await publishLines(stage.hub.url, "stream:x", 1, 60);
    const levels = ["ERROR", "WARN", "DEBUG", "odd"].map((level) => ({
      event: "log",
      data: {
        message: `\u001B[33m${level}\u001B[0m ${"wide ".repeat(100)}`,
        level,
        program: "p",
        source: "stderr",
      },
    }));
    const end = { event: "exit", data: { program: "p", code: 1, signal: null } };
    await fetch(`${stage.hub.url}/rooms/stream%3Ax/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify([...levels, end]),
    });
    await page.getByText("p ended with exit code 1").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await check(page);
  });
});
