import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it } from "@jest/globals";
import type { HistoryReply } from "../../shared/protocol.ts";
import { range } from "../support/core.ts";
import { Nodes } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

const ROOM = "stream:moving";
const LAST = 1_200;
const nodes = new Nodes();
afterEach(() => nodes.close());

async function page(url: string, query: string): Promise<HistoryReply> {
  const reply = await fetch(`${url}/rooms/${encodeURIComponent(ROOM)}/messages?${query}`);
  expect(reply.status).toBe(200);
  return (await reply.json()) as HistoryReply;
}

it("is read both ways while messages arrive, and meets the live ones without a hole or an overlap", async () => {
  const { hub, url } = await nodes.start();
  for (const n of range(1, 200)) await hub.publish(ROOM, "n", n);
  const publishing = (async () => {
    for (const n of range(201, LAST)) {
      await hub.publish(ROOM, "n", n);
      await sleep(2);
    }
  })();
  const live = await nodes.client(url);
  const { position } = await live.join(ROOM);

  const older: number[] = [];
  for (let before: string = `before=${position.offset + 1}`; ;) {
    const { messages, complete } = await page(url, `${before}&limit=7`);
    older.unshift(...messages.map(({ offset }) => offset));
    if (complete) break;
    before = `before=${messages[0]!.offset}`;
  }
  await until(() => live.messages.length > 50);
  expect([...older, ...live.offsets()]).toEqual(range(1, older.length + live.messages.length));

  const forward: number[] = [];
  let cursor = "0";
  while (forward.length < 300) {
    const { messages } = await page(url, `after=${encodeURIComponent(cursor)}&limit=50`);
    forward.push(...messages.map(({ offset }) => offset));
    const { epoch, offset, id } = messages.at(-1)!;
    cursor = `${epoch}.${offset}.${id}`;
  }
  expect(forward).toEqual(range(1, forward.length));
  const next = await nodes.client(url);
  expect(await next.join(ROOM, { since: cursor })).toMatchObject({ recovered: true });
  await publishing;
  await until(() => [next, live].every(({ messages }) => messages.at(-1)?.meta.offset === LAST), 10_000);
  expect([...forward, ...next.offsets()]).toEqual(range(1, LAST));
});
