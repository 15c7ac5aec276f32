import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { EventSource } from "eventsource";
import reconnecting from "reconnecting-eventsource";
import type { Browser } from "playwright-core";
import { launchBrowser, openTab } from "../support/browser.ts";
import { range } from "../support/core.ts";
import { DataFolders } from "../support/data-folders.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

// Its types are those of its CommonJS build.
const ReconnectingEventSource = reconnecting as unknown as typeof reconnecting.default;

const nodes = new Nodes();
const folders = new DataFolders();
const sources: { close(): void }[] = [];
let node: RunningNode;
let folder: string;

beforeEach(async () => {
  folder = folders.make();
  node = await nodes.start({ store: "disk", data: folder });
});

afterEach(async () => {
  sources.splice(0).forEach((source) => source.close());
  await nodes.close();
  await folders.remove();
});

async function publish(first: number, last: number): Promise<void> {
  for (const n of range(first, last)) await node.hub.publish("stream:a", "log", n);
}

type Source = Pick<EventSource, "addEventListener" | "close" | "readyState">;

interface Heard {
  readonly source: Source;
  readonly logs: unknown[];
  readonly opened: string[];
  readonly errors: unknown[];
}

/** As pages do, through what all of them have. */
function listen(source: Source): Heard {
  sources.push(source);
  const heard: Heard = { source, logs: [], opened: [], errors: [] };
  source.addEventListener("log", (event) => heard.logs.push(JSON.parse(event.data as string)));
  source.addEventListener("stream-open", (event) => heard.opened.push(event.lastEventId));
  source.addEventListener("stream-error", (event) => heard.errors.push(JSON.parse(event.data as string)));
  return heard;
}

describe.each<[string, (url: string) => Source]>([
  ["EventSource", (url) => new EventSource(url)],
  [
    "django-eventstream's ReconnectingEventSource",
    (url) => new ReconnectingEventSource(url, { eventSourceClass: EventSource, max_retry_time: 200 }),
  ],
])("%s", (_, open) => {
  it.each(["room=a", "room=a&room=chat:b&rewind=10"])(
    "goes on by itself after the hub was started anew: %s",
    async (query) => {
      const heard = listen(open(`${node.url}/events?${query}`));
      await until(() => heard.opened.length === 1);
      await publish(1, 3);
      await until(() => heard.logs.length === 3);
      const port = Number(new URL(node.url).port);
      await node.hub.close();
      node = await nodes.start({ store: "disk", data: folder }, port);
      await publish(4, 6);
      await until(() => heard.logs.length === 6);
      expect(heard.logs).toEqual(range(1, 6));
      expect(heard.errors).toEqual([]);
    },
  );
});

describe("a browser's own EventSource", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it("goes on after what a filter has left out, and stays away after a refusal", async () => {
    const { page, context } = await openTab(browser);
    await page.goto(`${node.url}/healthz`);
    await page.evaluate(() => {
      const heard = { logs: [] as number[], ids: [] as string[], errors: [] as string[] };
      const source = new globalThis.EventSource("/events?room=a&event=log&rewind=10");
      source.addEventListener("log", ({ data }) => heard.logs.push(Number(data)));
      source.addEventListener("stream-open", ({ lastEventId }) => heard.ids.push(lastEventId));
      const refused = new globalThis.EventSource("/events");
      refused.addEventListener("stream-error", ({ data }) => heard.errors.push(data as string));
      Object.assign(globalThis, { heard, refused });
    });
    const heard = (): Promise<{ logs: number[]; ids: string[]; errors: string[]; isClosed: boolean }> =>
      page.evaluate(() => {
        const { heard: all, refused } = globalThis as unknown as {
          heard: { logs: number[]; ids: string[]; errors: string[] };
          refused: globalThis.EventSource;
        };
        return { ...all, isClosed: refused.readyState === 2 };
      });
    await until(async () => (await heard()).ids.length === 1);
    await publish(1, 1);
    for (const n of range(2, 4)) await node.hub.publish("stream:a", "other", n, { id: `m-${n}` });
    await until(async () => (await heard()).logs.length === 1);
    const port = Number(new URL(node.url).port);
    await node.hub.close();
    node = await nodes.start({ store: "disk", data: folder }, port);
    await publish(5, 5);
    const { logs, ids, errors } = await until(async () => {
      const all = await heard();
      return all.logs.length === 2 && all.isClosed && all;
    });
    expect([logs, errors.length]).toEqual([[1, 5], 1]);
    expect(ids[1]).toMatch(/^\w+\.4\.m-4$/);
    await context.close();
  });
});

it("makes an EventSource stay away after a refusal", async () => {
  const { source, errors } = listen(new EventSource(`${node.url}/events?room=a%20b`));
  await until(() => source.readyState === EventSource.CLOSED);
  expect(errors).toMatchObject([{ condition: "bad-request" }]);
});
