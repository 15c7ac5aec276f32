import { readFile } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import { until } from "../support/wait.ts";
import { lastLine, lines, live, publishLines } from "../support/web-app.ts";
import { webStage } from "../support/web-stage.ts";

const stage = webStage();

async function publish(room: string, event: string, data: object): Promise<void> {
  const reply = await fetch(`${stage.hub.url}/rooms/${encodeURIComponent(room)}/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ event, data }),
  });
  expect(reply.status).toBe(201);
}

describe("the log page", () => {
  test("opens with the last 500 lines, and fetches older ones on scrolling up without a jump", async () => {
    await publishLines(stage.hub.url, "stream:x", 1, 900);
    const page = await stage.tabs.open(stage.hub.url, "/stream/x");
    await lastLine(page, "line 900");
    await page.getByText("500 lines", { exact: true }).waitFor();
    const scroller = page.locator(".log-scroller");
    await scroller.evaluate((list) => (list.scrollTop = 700));
    await page.getByText("line 440", { exact: true }).waitFor();
    const top = (): Promise<number> =>
      page.getByText("line 440", { exact: true }).evaluate((element) => element.getBoundingClientRect().top);
    const before = await top();
    await scroller.evaluate((list) => (list.scrollTop -= 200));
    await page.getByText("800 lines", { exact: true }).waitFor();
    expect(Math.abs((await top()) - before - 200)).toBeLessThan(2);
    await until(async () => {
      await scroller.evaluate((list) => (list.scrollTop = 0));
      return (await lines(page))[0] === "line 1";
    });
    await page.getByRole("button", { name: /newest/ }).click();
    await lastLine(page, "line 900");
  });

  test("pauses without loss, and counts what is behind", async () => {
    await publishLines(stage.hub.url, "stream:x", 1, 3);
    const page = await stage.tabs.open(stage.hub.url, "/stream/x");
    await lastLine(page, "line 3");
    await page.getByRole("button", { name: "Pause" }).click();
    await publishLines(stage.hub.url, "stream:x", 4, 40);
    await until(async () => (await page.locator(".behind").textContent()) === "Paused, 37 behind");
    expect(await lines(page)).toEqual(["line 1", "line 2", "line 3"]);
    await page.getByRole("button", { name: "Resume" }).click();
    await lastLine(page, "line 40");
    await page.getByText("40 lines", { exact: true }).waitFor();
    const shown = await lines(page);
    expect(shown).toEqual(
      Array.from({ length: shown.length }, (_, index) => `line ${41 - shown.length + index}`),
    );
  });

  test("filters by text, regular expression and level, marks matches, and says what is no expression", async () => {
    for (const [message, level] of [
      ["GET /a 200", "INFO"],
      ["GET /b 500", "ERROR"],
      ["POST /c 201", "DEBUG"],
    ]) {
      await publish("stream:x", "log", { message, level });
    }
    const page = await stage.tabs.open(stage.hub.url, "/stream/x");
    await lastLine(page, "POST /c 201");
    const search = page.getByRole("searchbox");
    await search.fill("get");
    await until(async () => (await lines(page)).join() === "GET /a 200,GET /b 500");
    expect(await page.locator("mark").allTextContents()).toEqual(["GET", "GET"]);
    await page.getByRole("button", { name: "Filter" }).click();
    await until(async () => (await lines(page)).length === 3);
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByRole("button", { name: "Regular expression" }).click();
    await search.fill("(200|201)$");
    await until(async () => (await lines(page)).join() === "GET /a 200,POST /c 201");
    await search.fill("(200");
    await page.getByRole("alert").getByText("No valid regular expression").waitFor();
    await search.press("Escape");
    await page.getByRole("button", { name: "Info" }).click();
    await page.getByRole("button", { name: "Debug" }).click();
    await until(async () => (await lines(page)).join() === "GET /b 500");
    expect(await page.getByText("1 of 3 lines").isVisible()).toBe(true);
    const started = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download" }).click();
    const file = await readFile(await (await started).path(), "utf8");
    expect(file).toMatch(/^\S+Z ERROR GET \/b 500\n$/);
  });

  test("shows colours, levels, both outputs and the end of a program, and hostile text as text", async () => {
    const hostile = `<img src=x onerror=alert(1)>\u001B]0;title\u0007`;
    await publish("stream:x", "log", {
      message: "\u001B[32mok\u001B[0m <b>",
      level: "INFO",
      source: "stderr",
    });
    await publish("stream:x", "log", {
      message: hostile,
      level: hostile,
      program: hostile,
      timestamp: hostile,
    });
    await publish("stream:x", "exit", { program: "make", code: 2, signal: null });
    const page = await stage.tabs.open(stage.hub.url, "/stream/x");
    await lastLine(page, "make ended with exit code 2");
    expect(await lines(page)).toEqual([
      "ok <b>",
      "<img src=x onerror=alert(1)>",
      "make ended with exit code 2",
    ]);
    expect(await page.locator(".ansi-green-fg").textContent()).toBe("ok");
    expect(await page.locator(".row-stderr").count()).toBe(1);
    expect(await page.locator(".log-rows :is(img, b)").count()).toBe(0);
  });

  test("opens at the line that the address names", async () => {
    await publishLines(stage.hub.url, "stream:x", 1, 1_500);
    const page = await stage.tabs.open(stage.hub.url, "/stream/x#200");
    const row = page.locator(".selected");
    await row.waitFor();
    expect(await row.locator(".row-text").textContent()).toBe("line 200");
    expect(await row.evaluate((element) => element.getBoundingClientRect().top)).toBeGreaterThan(100);
    await page.locator(".log-scroller").focus();
    await page.keyboard.press("ArrowDown");
    await until(() => page.url().endsWith("#201"));
    await page.getByRole("button", { name: "Copy line" }).waitFor();
    await page.keyboard.press("Escape");
    await until(async () => (await row.count()) === 0);
  });

  test("wraps lines, writes times in three ways, and remembers both", async () => {
    await publish("stream:x", "log", { message: "wide ".repeat(200), level: "INFO", program: "p" });
    const page = await stage.tabs.open(stage.hub.url, "/stream/x");
    await live(page);
    const row = page.locator(".log-row");
    const height = (): Promise<number> => row.evaluate((element) => element.getBoundingClientRect().height);
    const time = page.locator(".row-time");
    const low = await height();
    await page.getByRole("button", { name: "Wrap" }).click();
    await until(async () => (await height()) > 2 * low);
    expect(await time.textContent()).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/);
    await page.getByLabel("Times").selectOption("utc");
    await until(async () => /^\d\d:\d\d:\d\d\.\d{3}Z$/.test((await time.textContent())!));
    await page.getByLabel("Times").selectOption("relative");
    await until(async () => /^(now|\d+s ago)$/.test((await time.textContent())!));
    await page.reload();
    await until(
      async () => (await height()) > 2 * low && /^(now|\d+s ago)$/.test((await time.textContent())!),
    );
  });

  test("copies a marked line and the link to it", async () => {
    await publishLines(stage.hub.url, "stream:x", 1, 3);
    const permissions = ["clipboard-read", "clipboard-write"];
    const page = await stage.tabs.open(stage.hub.url, "/stream/x#2", { permissions });
    const copied = (): Promise<string> => page.evaluate(() => navigator.clipboard.readText());
    await page.getByRole("button", { name: "Copy line" }).click();
    await until(async () => (await copied()).endsWith("INFO test line 2"));
    await page.getByRole("button", { name: "Copy link" }).click();
    await until(async () => (await copied()) === `${stage.hub.url}/stream/x#2`);
  });

  test("goes on by itself when the hub was killed and is back, with a row where its memory is gone", async () => {
    await publishLines(stage.hub.url, "stream:x", 1, 3);
    const page = await stage.tabs.open(stage.hub.url, "/stream/x");
    await lastLine(page, "line 3");
    await page.getByRole("searchbox").fill("e");
    await stage.hub.end("SIGKILL");
    await page.getByText("Connection lost, coming back").waitFor();
    await stage.commands.serve(["--port", new URL(stage.hub.url).port]);
    const back = performance.now();
    await live(page);
    expect(performance.now() - back).toBeLessThan(5_000);
    await publishLines(stage.hub.url, "stream:x", 4, 5);
    await lastLine(page, "line 5");
    expect(await lines(page)).toEqual([
      "line 1",
      "line 2",
      "line 3",
      expect.stringContaining("new log"),
      "line 4",
      "line 5",
    ]);
    expect(await page.getByRole("searchbox").inputValue()).toBe("e");
    await stage.tabs.close({ away: true });
  });

  test("stays usable with 10,000 lines and 5,000 more each second", async () => {
    await publishLines(stage.hub.url, "stream:x", 1, 10_000);
    const page = await stage.tabs.open(stage.hub.url, "/stream/x#1");
    await page.getByText("10,000 lines").waitFor({ timeout: 20_000 });
    await page.getByRole("button", { name: /newest/ }).click();
    await lastLine(page, "line 10000");
    await page.evaluate(() => {
      const gaps: number[] = [];
      let last = performance.now();
      const frame = (): void => {
        const now = performance.now();
        gaps.push(now - last);
        last = now;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
      Object.assign(globalThis, { gaps });
    });
    const began = performance.now();
    for (let batch = 0; batch < 30; batch += 1) {
      const from = 10_001 + batch * 500;
      await publishLines(stage.hub.url, "stream:x", from, from + 499);
      const ahead = (batch + 1) * 100 - (performance.now() - began);
      if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
    }
    await lastLine(page, "line 25000");
    const gaps = await page.evaluate(() => (globalThis as unknown as { gaps: number[] }).gaps);
    const slow = gaps.filter((gap) => gap > 250).length;
    expect(Math.max(...gaps)).toBeLessThan(1_500);
    expect(slow).toBeLessThan(gaps.length / 4);
    await page.getByText("10,000 lines").waitFor();
  });
});
