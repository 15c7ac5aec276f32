import { Socket } from "node:net";
import { afterEach, expect, it, jest } from "@jest/globals";
import { range } from "../support/core.ts";
import { EventReader } from "../support/event-reader.ts";
import { Nodes } from "../support/nodes.ts";

/** `READERS=2000 npx jest sse-fan-out` is the size for a machine with nothing else to do. */
const READERS = Number(process.env["READERS"] ?? 200);

const nodes = new Nodes();
const readers: EventReader[] = [];

afterEach(async () => {
  jest.restoreAllMocks();
  readers.splice(0).forEach((reader) => reader.close());
  await nodes.close();
});

it("writes what a room gets at once as one piece for each stream, made once for all that want the same", async () => {
  const node = await nodes.start();
  const open = async (query: string): Promise<EventReader> => {
    const reader = await EventReader.open(`${node.url}/events?${query}`);
    readers.push(reader);
    return reader.opened();
  };
  await Promise.all(range(1, READERS).map(() => open("room=a")));
  const [enveloped, filtered, both] = [
    await open("room=a&envelope=1"),
    await open("room=a&event=log"),
    await open("room=a&room=b"),
  ];
  const write = jest.spyOn(Socket.prototype, "write");
  const body = JSON.stringify(range(1, 50).map((data) => ({ event: "log", data })));
  const headers = { "content-type": "application/json" };
  await fetch(`${node.url}/rooms/stream%3Aa/messages`, { method: "POST", headers, body });
  await Promise.all(readers.map((reader) => reader.got(50)));
  const pieces = write.mock.calls
    .map(([piece]) => piece as Buffer | string)
    .filter((piece) => piece.includes("event: log\n"));
  expect(pieces).toHaveLength(READERS + 3);
  // The envelopes, and what has an id of two rooms, are the only ones of their kind.
  expect(new Set(pieces).size).toBe(3);
  for (const reader of readers) {
    if (reader !== enveloped) expect(reader.data).toEqual(range(1, 50));
  }
  expect(enveloped.data).toMatchObject(range(1, 50).map((data, i) => ({ data, offset: i + 1 })));
  expect([filtered.lastId, both.lastId]).toEqual([
    readers[0]!.lastId,
    expect.stringContaining("stream%3Aa="),
  ]);
});
