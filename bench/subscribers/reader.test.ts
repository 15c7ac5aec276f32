import { describe, expect, test } from "@jest/globals";
import { EVENT_FORMAT, packetFormat } from "../wire/formats.ts";
import { serverFrame } from "../wire/frames.ts";
import { DataTemplate } from "../wire/message.ts";
import { noFaults, Reader, type Faults } from "./reader.ts";
import { RoomStream } from "./room-stream.ts";

const ROOM = "stream:bench";
const template = new DataTemplate(200);

/** How the hub writes a message, and something else, to each kind of connection. */
const WIRES = [
  {
    wire: "packets",
    format: packetFormat(ROOM),
    framed: (offset: number, data: string) =>
      serverFrame(
        `42["message",${data},{"room":"${ROOM}","id":"m-${offset}","epoch":"e1","offset":${offset},"time":1735689600000}]`,
      ),
    aside: serverFrame("2"),
    asidePacket: "2",
  },
  {
    wire: "server-sent events",
    format: EVENT_FORMAT,
    framed: (offset: number, data: string) =>
      Buffer.from(`event: message\nid: e1.${offset}.m-${offset}\ndata: ${data}\n\n`),
    aside: Buffer.from("event: keep-alive\ndata: \n\n"),
    asidePacket: "event: keep-alive\ndata: \n\n",
  },
];

interface Stage {
  readonly faults: Faults;
  readonly packets: (string | undefined)[];
  readonly latencies: number[];
  readonly stream: RoomStream;
  readonly reader: (next?: number) => Reader;
}

const none = { holes: 0, doubles: 0, payloads: 0, examples: [] };

describe.each(WIRES)("a reader of a room as $wire", ({ format, framed, aside, asidePacket }) => {
  function message(
    offset: number,
    { number = offset, data = template.json(number, 1_000 * offset) } = {},
  ): Buffer {
    return framed(offset, data);
  }

  function messages(from: number, to: number): Buffer[] {
    return Array.from({ length: to - from + 1 }, (_, i) => message(from + i));
  }

  function stage(keepBytes?: number): Stage {
    const faults = noFaults();
    const stream = new RoomStream(format, 200, keepBytes);
    const packets: (string | undefined)[] = [];
    const latencies: number[] = [];
    const reader = (next = 1): Reader =>
      new Reader(stream, faults, {
        next,
        onPacket: (packet) => packets.push(packet),
        onLatency: (micros) => latencies.push(micros),
      });
    return { faults, packets, latencies, stream, reader };
  }

  test("finds nothing wrong with every message once and in order", () => {
    const { faults, reader } = stage();
    const [first, second] = [reader(), reader()];
    first.take(Buffer.concat(messages(1, 20)), 0);
    second.take(Buffer.concat(messages(1, 20)), 0);
    expect([first.next, second.next]).toEqual([21, 21]);
    expect(faults).toEqual(none);
  });

  test.each([1, 2, 3, 7, 100, 331, 1_000])("reads a stream that comes in pieces of %d bytes", (size) => {
    const { faults, packets, reader } = stage();
    const [first, second, third] = [reader(), reader(), reader()];
    const bytes = Buffer.concat([...messages(1, 5), aside, ...messages(6, 9)]);
    const others = Buffer.concat([...messages(1, 2), aside, ...messages(3, 9)]);
    for (let i = 0; i < bytes.length; i += size) {
      first.take(bytes.subarray(i, i + size), 0);
      second.take(others.subarray(i, i + size), 0);
    }
    third.take(bytes, 0);
    expect([first.next, second.next, third.next]).toEqual([10, 10, 10]);
    expect(packets).toEqual([asidePacket, asidePacket, asidePacket]);
    expect(faults).toEqual(none);
  });

  test("tells the time of each message, however it was checked", () => {
    const { latencies, reader } = stage();
    reader().take(Buffer.concat(messages(1, 2)), 5_000);
    reader().take(Buffer.concat(messages(1, 2)), 6_000);
    expect(latencies).toEqual([4_000, 3_000, 5_000, 4_000]);
  });

  test.each(["the first", "a later"])("reports a hole that %s socket has", (which) => {
    const { faults, reader } = stage();
    if (which === "a later") reader().take(Buffer.concat(messages(1, 5)), 0);
    const last = reader();
    last.take(Buffer.concat([...messages(1, 2), ...messages(4, 5)]), 0);
    expect(last.next).toBe(6);
    expect(faults).toEqual({ ...none, holes: 1, examples: ["message 4 came instead of 3"] });
  });

  test.each(["the first", "a later"])("reports a double that %s socket gets", (which) => {
    const { faults, reader } = stage();
    if (which === "a later") reader().take(Buffer.concat(messages(1, 5)), 0);
    const last = reader();
    last.take(Buffer.concat([...messages(1, 3), message(3), ...messages(4, 5)]), 0);
    expect(last.next).toBe(6);
    expect(faults).toEqual({ ...none, doubles: 1, examples: ["message 3 came after 3"] });
  });

  test.each(["the first", "a later"])("reports a changed byte of data that %s socket gets", (which) => {
    const { faults, reader } = stage();
    if (which === "a later") reader().take(Buffer.concat(messages(1, 5)), 0);
    const last = reader();
    const data = template.json(3, 3_000).replace("quick", "quack");
    last.take(Buffer.concat([...messages(1, 2), message(3, { data }), ...messages(4, 5)]), 0);
    expect(last.next).toBe(6);
    expect(faults).toEqual({ ...none, payloads: 1, examples: ["message 3 is not what was published"] });
  });

  test("reports data that another message has", () => {
    const { faults, reader } = stage();
    reader().take(Buffer.concat([...messages(1, 2), message(3, { number: 2 })]), 0);
    expect(faults).toEqual({
      ...none,
      doubles: 1,
      examples: ["what was published as 2 came again as message 3"],
    });
  });

  test("reports a message that differs between two sockets", () => {
    const { faults, reader } = stage();
    reader().take(Buffer.concat(messages(1, 3)), 0);
    reader().take(Buffer.concat([message(1), message(2, { number: 3 }), message(3)]), 0);
    expect(faults).toEqual({
      ...none,
      payloads: 1,
      examples: ["message 2 differs between two sockets"],
    });
  });

  test("goes on at the place where a connection was lost", () => {
    const { faults, reader } = stage();
    const one = reader();
    one.take(Buffer.concat(messages(1, 5)).subarray(0, -10), 0);
    one.reconnected();
    one.take(Buffer.concat(messages(5, 9)), 0);
    expect(one.next).toBe(10);
    expect(faults).toEqual(none);
  });

  test("checks a socket by itself that is further behind than the room is remembered", () => {
    const { faults, stream, reader } = stage(2_000);
    const [fast, slow] = [reader(), reader()];
    const bytes = Buffer.concat(messages(1, 60));
    fast.take(bytes, 0);
    expect(stream.has(1)).toBe(false);
    slow.take(bytes.subarray(0, 1_000), 0);
    slow.take(bytes.subarray(1_000), 0);
    expect([fast.next, slow.next]).toEqual([61, 61]);
    expect(faults).toEqual(none);
  });
});

describe("a reader of packets", () => {
  const { format, framed } = WIRES[0]!;

  test("hands on what is no message, and the end", () => {
    const packets: (string | undefined)[] = [];
    const reader = new Reader(new RoomStream(format, 200), noFaults(), {
      onPacket: (packet) => packets.push(packet),
    });
    const [ping, acknowledgement, close] = [
      serverFrame("2"),
      serverFrame('430[{"ok":true}]'),
      Buffer.from([0x88, 0]),
    ];
    reader.take(Buffer.concat([ping, framed(1, template.json(1, 0)), acknowledgement, close]), 0);
    expect(packets).toEqual(["2", '430[{"ok":true}]', undefined]);
  });

  test("reports a message of another room", () => {
    const faults = noFaults();
    const frame = framed(1, template.json(1, 0)).toString("latin1").replace(ROOM, "stream:other");
    new Reader(new RoomStream(format, 200), faults).take(Buffer.from(frame, "latin1"), 0);
    expect(faults.payloads).toBe(1);
  });
});

test("a reader of server-sent events reports an event that has more than the message", () => {
  const faults = noFaults();
  const { format, framed } = WIRES[1]!;
  const frame = framed(1, `${template.json(1, 0)}\ndata: more`);
  new Reader(new RoomStream(format, 200), faults).take(frame, 0);
  expect(faults.payloads).toBe(1);
});
