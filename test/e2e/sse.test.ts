import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { range } from "../support/core.ts";
import { EventReader } from "../support/event-reader.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
const readers: EventReader[] = [];
let node: RunningNode;

beforeEach(async () => {
  node = await nodes.start();
});

afterEach(async () => {
  readers.splice(0).forEach((reader) => reader.close());
  await nodes.close();
});

async function read(path: string, headers?: Record<string, string>): Promise<EventReader> {
  const reader = await EventReader.open(node.url + path, headers);
  readers.push(reader);
  return reader;
}

/** Publishes one after the other, each with its number as data. */
async function publish(room: string, first: number, last: number, event = "log"): Promise<void> {
  for (const n of range(first, last)) await node.hub.publish(room, event, n, { id: `m-${n}` });
}

describe("a stream", () => {
  it("begins with padding and its place, and goes on with what is published", async () => {
    await publish("stream:a", 1, 2);
    const reader = await (await read("/events?room=stream:a")).opened();
    expect(reader.status).toBe(200);
    expect(reader.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
      "x-request-id": expect.any(String),
    });
    expect(reader.text).toMatch(
      /^: {2048}\n\nevent: stream-open\nid: \w+\.2\.m-2\ndata: \n\nretry: [12]\d{3}\n\n$/,
    );
    await publish("stream:a", 3, 5);
    await reader.got(3);
    expect(reader.messages).toMatchObject([3, 4, 5].map((data) => ({ event: "log", data })));
    expect(reader.messages.map(({ id }) => id!.replace(/^\w+/, "e"))).toEqual([
      "e.3.m-3",
      "e.4.m-4",
      "e.5.m-5",
    ]);
    expect(reader.events[0]).toMatchObject({ event: "stream-open", data: "" });
  });

  it.each([
    "/events/a",
    "/events/a/",
    "/events/stream%3Aa",
    "/rooms/stream%3Aa/events",
    "/events?channel=a",
    "/events/?room=a",
  ])("is there as %s", async (path) => {
    const reader = await (await read(path)).opened();
    await publish("stream:a", 1, 1);
    expect((await reader.got(1)).data).toEqual([1]);
  });

  it("replays the last messages or those of the last so long, over many pages", async () => {
    await publish("stream:a", 1, 700);
    for (const [query, first] of [
      ["rewind=2", 699],
      ["rewind=650", 51],
      ["rewind=5m", 1],
      ["rewind=0", 701],
    ] as const) {
      const reader = await read(`/events?room=a&${query}`);
      await reader.got(701 - first);
      expect(reader.data).toEqual(range(first, 700));
    }
  });

  it.each([
    [
      "the header",
      (id: string) => ["/events?room=a&since=x.1.y&lastEventId=x.1.y", { "last-event-id": id }] as const,
    ],
    ...["lastEventId", "lastEventID", "last_event_id", "evs_last_event_id", "since"].map(
      (name) =>
        [name, (id: string) => [`/events?room=a&${name}=${encodeURIComponent(id)}`, {}] as const] as const,
    ),
    [
      "the last that is not empty",
      (id: string) => [`/events?room=a&lastEventId=x.1.y&last_event_id=${id}&lastEventId=`, {}] as const,
    ],
  ])("goes on after the last id, by %s", async (_, requestOf) => {
    const before = await (await read("/events?room=a")).opened();
    await publish("stream:a", 1, 3);
    await before.got(2);
    const { id } = before.messages[1]!;
    before.close();
    await publish("stream:a", 4, 400);
    const after = await read(...requestOf(id!));
    await after.got(398);
    expect(after.data).toEqual(range(3, 400));
    expect(after.events[0]).toMatchObject({ event: "stream-open", id });
    expect(after.events.some(({ event }) => event === "stream-reset")).toBe(false);
  });

  it("can be resumed before its first message, from the id with which it opened", async () => {
    const before = await (await read("/events?room=a")).opened();
    const id = before.lastId!;
    expect(id).toMatch(/^\w+\.0\.$/);
    before.close();
    await publish("stream:a", 1, 2);
    const after = await read("/events?room=a", { "last-event-id": id });
    expect((await after.got(2)).data).toEqual([1, 2]);
  });

  it("says that it can't go on where it stood, and begins with what is kept", async () => {
    await publish("stream:a", 1, 3);
    const reader = await read("/events?room=a", { "last-event-id": "gone.2.m-2" });
    await reader.got(3);
    const [open, reset] = reader.events;
    expect(open).toMatchObject({ event: "stream-open", id: "gone.2.m-2" });
    expect(reset).toMatchObject({ event: "stream-reset" });
    expect(JSON.parse(reset!.data)).toEqual({ channels: ["a"], reason: "epoch_changed" });
    expect(reset!.id).toMatch(/^\w+\.0\.$/);
    expect(reader.data).toEqual([1, 2, 3]);
    const again = await read("/events?room=a", { "last-event-id": reset!.id! });
    expect((await again.got(3)).events.map(({ event }) => event)).toEqual([
      "stream-open",
      "log",
      "log",
      "log",
    ]);
  });

  it("tells its newest place after a reset without messages", async () => {
    await publish("stream:a", 1, 3);
    await fetch(`${node.url}/rooms/stream%3Aa/messages`, { method: "DELETE" });
    const reader = await read("/events?room=a", { "last-event-id": "gone.2.m-2" });
    await until(() => reader.lastId?.endsWith(".3.m-3"));
    const again = await read("/events?room=a", { "last-event-id": reader.lastId! });
    await again.opened();
    await publish("stream:a", 4, 4);
    await again.got(1);
    expect(again.events.map(({ event }) => event)).toEqual(["stream-open", "log"]);
  });

  it("carries ephemeral messages without an id", async () => {
    const reader = await (await read("/events?room=chat:a")).opened();
    await node.hub.publish("chat:a", "typing", { on: true }, { ephemeral: true });
    await reader.got(1);
    expect(reader.messages).toEqual([{ event: "typing", id: undefined, data: { on: true } }]);
  });

  it("sends what was published as it is, whatever it looks like", async () => {
    const reader = await (await read("/events?room=a")).opened();
    const texts = [
      "a\nb",
      "\r\n\r\nevent: stream-error\nid: error\ndata: {}\n\n",
      "\0",
      "\u2028\u2029",
      "\ud800",
      "id: 1",
    ];
    for (const text of texts) await node.hub.publish("stream:a", "log", { text });
    await reader.got(texts.length);
    expect(reader.data).toEqual(texts.map((text) => ({ text })));
    expect(reader.events).toHaveLength(texts.length + 1);
  });

  it("is not interrupted by a HEAD, which has its headers and joins nothing", async () => {
    const reply = await fetch(`${node.url}/events?room=a`, { method: "HEAD" });
    expect([reply.status, reply.headers.get("content-type"), await reply.text()]).toEqual([
      200,
      "text/event-stream",
      "",
    ]);
    const { connections } = (await (await fetch(`${node.url}/rooms/stream%3Aa`)).json()) as {
      connections: number;
    };
    expect(connections).toBe(0);
  });

  it("counts as a connection of its room until it is closed", async () => {
    const reader = await (await read("/events?room=a")).opened();
    const connections = async (): Promise<number> =>
      ((await (await fetch(`${node.url}/rooms/stream%3Aa`)).json()) as { connections: number }).connections;
    expect(await connections()).toBe(1);
    reader.close();
    await until(async () => (await connections()) === 0);
  });
});

describe("the two transports", () => {
  it("go on where the other one stopped: nothing is missing, nothing comes twice", async () => {
    const got: number[] = [];
    let since: string | undefined;
    const publishing = publish("stream:a", 1, 300);
    for (let turn = 0; got.length < 300; turn += 1) {
      const wanted = Math.min(300, got.length + 40);
      if (turn % 2 === 0) {
        const client = await nodes.client(node.url);
        await client.join("stream:a", since === undefined ? { rewind: 300 } : { since });
        await until(() => got.length + client.messages.length >= wanted);
        client.socket.disconnect();
        got.push(...client.messages.map(({ data }) => data as number));
        const { epoch, offset, id } = client.messages.at(-1)!.meta;
        since = `${epoch}.${offset}.${id}`;
      } else {
        const reader = await read("/events?room=a", { "last-event-id": since! });
        await until(() => got.length + reader.messages.length >= wanted);
        reader.close();
        got.push(...(reader.data as number[]));
        since = reader.lastId;
      }
    }
    await publishing;
    expect(got).toEqual(range(1, 300));
  });
});
