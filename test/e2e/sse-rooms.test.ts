import { afterEach, describe, expect, it } from "@jest/globals";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import { range } from "../support/core.ts";
import { EventReader } from "../support/event-reader.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
const readers: EventReader[] = [];

afterEach(async () => {
  readers.splice(0).forEach((reader) => reader.close());
  await nodes.close();
});

async function read(
  { url }: { url: string },
  path: string,
  headers?: Record<string, string>,
): Promise<EventReader> {
  const reader = await EventReader.open(url + path, headers);
  readers.push(reader);
  return reader;
}

async function publish(
  { hub }: RunningNode,
  room: string,
  first: number,
  last: number,
  event = "log",
): Promise<void> {
  for (const n of range(first, last)) await hub.publish(room, event, n, { id: `m-${n}` });
}

/** What a stream says when it is refused. */
async function refusal(reader: EventReader): Promise<{ id: string | undefined; data: unknown }> {
  await reader.closed();
  const { event, id, data } = reader.events.at(-1)!;
  expect([reader.status, event]).toEqual([200, "stream-error"]);
  return { id, data: JSON.parse(data) as unknown };
}

describe("a stream of several rooms", () => {
  it("has one id for all of them, and goes on in all of them after it", async () => {
    const node = await nodes.start();
    await publish(node, "stream:a", 1, 2);
    const path = "/events?room=a&room=chat:é&channel=stream:a";
    const before = await (await read(node, path)).opened();
    expect(before.events[0]!.id).toMatch(/^stream%3Aa=\w+\.2\.m-2,chat%3A%C3%A9=\w+\.0\.$/);
    await publish(node, "stream:a", 3, 3);
    await publish(node, "chat:é", 1, 2);
    await before.got(3);
    expect(before.lastId).toMatch(/^stream%3Aa=\w+\.3\.m-3,chat%3A%C3%A9=\w+\.2\.m-2$/);
    const { id } = before.messages[1]!;
    before.close();
    await publish(node, "stream:a", 4, 300);
    const after = await read(node, path, { "last-event-id": id! });
    await after.got(298);
    await publish(node, "chat:é", 3, 3);
    await after.got(299);
    expect(after.data).toEqual([...range(4, 300), 2, 3]);
    expect(after.lastId).toMatch(/^stream%3Aa=\w+\.300\.m-300,chat%3A%C3%A9=\w+\.3\.m-3$/);
  });

  it("replays more than may wait for a reader at once, room by room", async () => {
    const node = await nodes.start();
    const rooms = range(0, 9).map((n) => `stream:${n}`);
    const data = "x".repeat(30_000);
    for (const room of rooms) for (const _ of range(1, 20)) await node.hub.publish(room, "log", data);
    const reader = await read(node, `/events?rewind=100&${rooms.map((room) => `room=${room}`).join("&")}`);
    await reader.got(200);
    expect(reader.events.some(({ event }) => event === "stream-error")).toBe(false);
  });

  it("tells which room's place is gone, and goes on in the others", async () => {
    const node = await nodes.start();
    await publish(node, "stream:a", 1, 2);
    const { cursor } = (await node.hub.publish("stream:b", "log", 1)) as { cursor: string };
    const id = `a=gone.1.x,b=${cursor.replace(/\./g, "%2E")}`;
    const reader = await read(node, `/events?room=a&room=b&lastEventId=${encodeURIComponent(id)}`);
    await publish(node, "stream:b", 2, 2);
    await reader.got(3);
    const reset = await reader.own("stream-reset");
    expect(JSON.parse(reset.data)).toEqual({ channels: ["a"], reason: "epoch_changed" });
    expect(reset.id).toMatch(/^stream%3Aa=\w+\.0\.,stream%3Ab=\w+\.1\./);
    expect(new Set(reader.data)).toEqual(new Set([1, 2]));
  });

  it("has up to 10 rooms and not more, and not none", async () => {
    const node = await nodes.start();
    const path = (count: number): string =>
      `/events?${range(1, count)
        .map((n) => `room=r${n}`)
        .join("&")}`;
    await (await read(node, path(10))).opened();
    const bad = (text: string): object => ({ id: "error", data: { condition: "bad-request", text } });
    expect(await refusal(await read(node, path(11)))).toEqual(
      bad("Invalid request: Channel limit exceeded."),
    );
    expect(await refusal(await read(node, "/events"))).toEqual(
      bad("Invalid request: No channels specified."),
    );
  });
});

describe("a filtered stream", () => {
  it("has only the events that it asks for, and moves on with the others", async () => {
    const node = await nodes.start();
    const path = "/events?room=a&event=exit&event=log&rewind=10";
    await publish(node, "stream:a", 1, 1, "other");
    const before = await (await read(node, path)).opened();
    await publish(node, "stream:a", 2, 2, "exit");
    await publish(node, "stream:a", 3, 5, "other");
    await until(() => before.lastId?.endsWith(".5.m-5"));
    expect(before.messages).toMatchObject([{ event: "exit", data: 2 }]);
    // A block without data changes the last id and dispatches nothing.
    expect(before.text).toMatch(/\n\nid: \w+\.5\.m-5\n\n$/);
    before.close();
    await publish(node, "stream:a", 6, 6);
    const after = await read(node, path, { "last-event-id": before.lastId! });
    expect((await after.got(1)).data).toEqual([6]);
  });
});

describe("a stream with envelopes", () => {
  it("has whole messages as lists have them", async () => {
    const node = await nodes.start();
    const reader = await (await read(node, "/events?room=a&envelope=1")).opened();
    await publish(node, "stream:a", 1, 1);
    await reader.got(1);
    const history = await (await fetch(`${node.url}/rooms/stream%3Aa/messages`)).json();
    expect(reader.data).toEqual((history as { messages: unknown[] }).messages);
  });
});

describe("a stream that is refused", () => {
  it("names all rooms that are forbidden, as they came, and ends", async () => {
    const node = await nodes.start({
      authorize: (_, capability, room) => capability !== "join" || room === "stream:a",
    });
    expect(await refusal(await read(node, "/events?room=a&room=b&room=chat:c"))).toEqual({
      id: "error",
      data: {
        condition: "forbidden",
        text: "Permission denied to channels: b, chat:c",
        channels: ["b", "chat:c"],
      },
    });
  });

  it("needs the right to read history only for what was before", async () => {
    const node = await nodes.start({
      authorize: ({ token }, capability) => token === "t" && capability !== "history",
    });
    const headers = { authorization: "Bearer t" };
    await (await read(node, "/events?room=a", headers)).opened();
    expect(await refusal(await read(node, "/events?room=a&rewind=1", headers))).toMatchObject({
      id: "error",
    });
    expect(await refusal(await read(node, "/events?room=a"))).toMatchObject({
      data: { condition: "forbidden" },
    });
  });

  it.each([
    "room=a%20b",
    "room=a&event=a%20b",
    "room=a&rewind=x",
    "room=a&since=x",
    "room=a&lastEventId=room-1:7",
    "room=a&room=b&since=e.1.x",
  ])("says what is wrong with %s", async (query) => {
    const node = await nodes.start();
    const reader = await read(node, `/events?${query}`);
    expect(await refusal(reader)).toMatchObject({ id: "error", data: { condition: "bad-request" } });
    expect(reader.headers).toMatchObject({
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    });
  });

  it("turns away who comes back after it with a status that it understands", async () => {
    const node = await nodes.start();
    for (const [path, headers] of [
      ["/events?room=a", { "last-event-id": "error" }],
      ["/events/a?lastEventId=error", {}],
    ] as const) {
      const reply = await fetch(node.url + path, { headers });
      expect([reply.status, await reply.json()]).toMatchObject([
        400,
        {
          error: {
            code: "bad_request",
            message: "Invalid request: Can't resume session after stream-error.",
          },
        },
      ]);
    }
  });
});

describe("positions", () => {
  it("are where a stream goes on after a snapshot, without a gap", async () => {
    const node = await nodes.start();
    await publish(node, "stream:a", 1, 3);
    const reply = await fetch(`${node.url}/events/position?room=a&room=chat:b`);
    const { cursor, rooms } = (await reply.json()) as {
      cursor: string;
      rooms: { room: string; cursor: string }[];
    };
    expect(rooms).toMatchObject([
      { room: "stream:a", position: { offset: 3, id: "m-3" } },
      { room: "chat:b", position: { offset: 0, id: "" } },
    ]);
    await publish(node, "stream:a", 4, 5);
    await publish(node, "chat:b", 1, 1);
    const both = await read(node, `/events?room=a&room=chat:b&since=${encodeURIComponent(cursor)}`);
    expect((await both.got(3)).data).toEqual([4, 5, 1]);
    const one = (await (await fetch(`${node.url}/events/position?room=chat:b`)).json()) as { cursor: string };
    expect(one.cursor).toMatch(/^\w+\.1\.m-1$/);
    for (const [query, code] of [
      ["", "bad_request"],
      ["?room=a%20b", "bad_room"],
    ] as const) {
      const refused = await fetch(`${node.url}/events/position${query}`);
      expect([refused.status, await refused.json()]).toMatchObject([400, { error: { code } }]);
    }
  });
});

describe("pages of other origins", () => {
  const origin = "https://app.example.com";

  it("may read streams if they are listed, with credentials and all headers that clients send", async () => {
    const node = await nodes.start({ origins: [origin] });
    const reader = await (await read(node, "/events?room=a", { origin })).opened();
    expect(reader.headers).toMatchObject({
      "access-control-allow-origin": origin,
      "access-control-allow-credentials": "true",
      vary: expect.stringContaining("Origin"),
    });
    const preflight = await fetch(`${node.url}/events?room=a`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "GET",
        "access-control-request-headers": "last-event-id",
      },
    });
    expect([preflight.status, preflight.headers.get("access-control-allow-headers")]).toEqual([
      204,
      expect.stringMatching(/Last-Event-ID.*Cache-Control/),
    ]);
  });

  it("may not if they are not, whatever the Referer says", async () => {
    const node = await nodes.start({ origins: [origin] });
    const other = { origin: "https://evil.example", referer: `${origin}/` };
    for (const path of [
      "/events?room=a",
      "/events/a",
      "/rooms/stream%3Aa/events",
      "/events/position?room=a",
    ]) {
      const reply = await fetch(node.url + path, { headers: other });
      expect([reply.status, await reply.json()]).toMatchObject([403, { error: { code: "bad_origin" } }]);
    }
  });
});

describe("inside another program's server", () => {
  it("streams are below its prefix", async () => {
    const app = express();
    const server = createServer(app);
    const { hub } = await nodes.start({ server });
    app.use("/push", hub.handler);
    app.get("/events", (_request, response) => void response.send("the program's own"));
    if (!server.listening) await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const reader = await (await read({ url }, "/push/events/a/")).opened();
    await hub.publish("stream:a", "log", 1);
    expect((await reader.got(1)).data).toEqual([1]);
    expect(await (await fetch(`${url}/events`)).text()).toBe("the program's own");
  });
});
