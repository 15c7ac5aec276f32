import { afterEach, describe, expect, it } from "@jest/globals";
import type { Limits } from "../../shared/limits.ts";
import { range } from "../support/core.ts";
import { EventReader } from "../support/event-reader.ts";
import { Nodes, openSockets, type RunningNode } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
const readers: EventReader[] = [];
let node: RunningNode;
/** More than all buffers of a connection hold together. */
const MUCH = 24 * 1024 * 1024;
const PIECE = "x".repeat(60_000);

afterEach(async () => {
  readers.splice(0).forEach((reader) => reader.close());
  await nodes.close();
});

async function start(limits: Partial<Limits> = {}): Promise<void> {
  node = await nodes.start({ limits });
}

async function read(query = "room=a", headers?: Record<string, string>): Promise<EventReader> {
  const reader = await EventReader.open(`${node.url}/events?${query}`, headers);
  readers.push(reader);
  return reader.opened();
}

async function publishMuch(reader: EventReader): Promise<number> {
  const count = Math.ceil(MUCH / PIECE.length);
  for (const n of range(1, count)) {
    await node.hub.publish("stream:a", "log", { n, PIECE });
    // The others keep up: only who takes nothing is behind.
    if (n % 8 === 0) await reader.got(n);
  }
  await reader.got(count);
  return count;
}

async function connections(): Promise<number> {
  const reply = await fetch(`${node.url}/rooms/stream%3Aa`);
  return ((await reply.json()) as { connections: number }).connections;
}

const numbers = ({ data }: EventReader): number[] => data.map((one) => (one as { n: number }).n);

describe("a reader that takes too little", () => {
  it.each(["room=a", "room=a&room=b", "room=a&envelope=1&event=log"])(
    "is told so after what it can have, and goes on from there, while others notice nothing: %s",
    async (query) => {
      await start();
      const [slow, other] = [await read(query), await read()];
      slow.pause();
      const count = await publishMuch(other);
      // Its rooms are left at once, while its bytes still wait.
      expect(await connections()).toBe(1);
      slow.resume();
      await slow.closed();
      const last = slow.events.at(-1)!;
      expect(last).toMatchObject({ event: "stream-error", id: undefined });
      expect(JSON.parse(last.data)).toMatchObject({ condition: "slow" });
      expect(slow.text).toMatch(/\nretry: \d+\n\nevent: stream-error\n/);
      const again = await read(query, { "last-event-id": slow.lastId! });
      const before = slow.messages.length;
      await again.got(count - before);
      const id = (one: unknown): unknown =>
        (one as { data?: { n: number } }).data?.n ?? (one as { n: number }).n;
      expect([...slow.data, ...again.data].map(id)).toEqual(range(1, count));
      expect(numbers(other)).toEqual(range(1, count));
    },
  );

  it("is cut off if it takes nothing at all for a while", async () => {
    await start({ stalledMs: 400 });
    const [stalled, other] = [await read(), await read()];
    const open = await openSockets(node);
    stalled.pause();
    await publishMuch(other);
    await until(async () => (await openSockets(node)) < open);
    stalled.resume();
    await stalled.closed();
    expect(stalled.events.at(-1)?.event).not.toBe("stream-error");
    expect(await connections()).toBe(1);
  });

  it("is cut off in the middle of a replay too", async () => {
    await start({ stalledMs: 400 });
    const other = await read();
    const count = await publishMuch(other);
    const both = await openSockets(node);
    other.close();
    await until(async () => (await openSockets(node)) < both);
    const stalled = await EventReader.open(`${node.url}/events?room=a&rewind=1000`);
    readers.push(stalled);
    stalled.pause();
    const open = await openSockets(node);
    await until(async () => (await openSockets(node)) < open);
    stalled.resume();
    await stalled.closed();
    expect(numbers(stalled).length).toBeLessThan(count);
  });

  it("is not one that is idle", async () => {
    await start({ stalledMs: 200 });
    const idle = await read();
    await new Promise((resolve) => setTimeout(resolve, 700));
    await node.hub.publish("stream:a", "log", { n: 1 });
    await idle.got(1);
    await new Promise((resolve) => setTimeout(resolve, 700));
    await node.hub.publish("stream:a", "log", { n: 2 });
    await idle.got(2);
    expect(idle.ended).toBe(false);
  });
});

describe("a replay that is read slowly", () => {
  it("comes as fast as it is taken, and as one with what is published meanwhile", async () => {
    await start();
    const other = await read();
    const count = await publishMuch(other);
    const slow = await EventReader.open(`${node.url}/events?room=a&rewind=1000`);
    readers.push(slow);
    for (const n of range(count + 1, count + 40)) {
      slow.pause();
      await node.hub.publish("stream:a", "log", { n });
      slow.resume();
    }
    await slow.got(count + 40);
    expect(numbers(slow)).toEqual(range(1, count + 40));
  });
});

describe("a hundred readers that never read", () => {
  it("cost no more than what may wait for each, and others notice nothing", async () => {
    await start();
    const stalled = await Promise.all(range(1, 100).map(() => read("room=a&event=log")));
    stalled.forEach((one) => one.pause());
    const other = await read();
    const before = process.memoryUsage().rss;
    const count = await publishMuch(other);
    expect(numbers(other)).toEqual(range(1, count));
    expect(await connections()).toBe(1);
    // All of it for all of them would be 2.4 GB; readers and log are in this process too.
    expect(process.memoryUsage().rss - before).toBeLessThan(1_000_000_000);
  });
});

describe("a quiet stream", () => {
  it("says now and then that it is alive, without an id", async () => {
    await start({ pingIntervalMs: 60 });
    const reader = await read();
    await until(() => reader.events.length >= 4);
    expect(reader.events.slice(1, 4)).toEqual(
      range(1, 3).map(() => ({ event: "keep-alive", id: undefined, data: "" })),
    );
  });
});

describe("a stopping node", () => {
  it("gives its streams what there is and a time of their own to come back, and takes no more of them", async () => {
    await start();
    const all = await Promise.all(range(1, 20).map(() => read()));
    await node.hub.publish("stream:a", "log", { n: 1 });
    await node.hub.close();
    await Promise.all(all.map((reader) => reader.closed()));
    expect(all.map(numbers)).toEqual(all.map(() => [1]));
    const retries = all.map(({ text }) => /\n\nretry: (\d+)\n\n$/.exec(text)?.[1]);
    expect(new Set(retries).size).toBeGreaterThan(10);
    expect(retries).not.toContain(undefined);
  });
});
