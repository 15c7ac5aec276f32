import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { packetHead, packetTail } from "../../../shared/packet.ts";
import { parseRoomName } from "../../../shared/room-name.ts";
import type { StoredMessage } from "../../hub/broker.ts";
import { blockOf, Frame, Frames } from "./frame.ts";

const room = parseRoomName("chat:lobby");

function parse(text: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (event) => void events.push(event),
    onError: (error) => {
      throw error;
    },
  });
  // As the network does, in two pieces of bytes.
  const bytes = Buffer.from(text).toString();
  parser.feed(bytes.slice(0, bytes.length / 2));
  parser.feed(bytes.slice(bytes.length / 2));
  return events;
}

function message(event: string, data: string, offset = 7): StoredMessage {
  const place = { id: "m:7", epoch: "e1", offset, time: 1_700_000_000_000 };
  const from = { user: "u", name: ',{"room":"' };
  return { room, ...place, packet: packetHead(room, event, data, from) + packetTail(place) };
}

/** Line ends, NUL, what some take for line ends, halves of characters, and what looks like fields. */
const nasty = fc.string({
  unit: fc.constantFrom(
    ...Array.from("a: \r\n\0\u2028\u2029\u0085é😀"),
    "\ud800",
    "\udc00",
    "\r\n",
    "\n\n",
    "id: x",
    "data:",
    "event: y",
    ",",
  ),
});
const json = fc.oneof(fc.jsonValue(), nasty, fc.dictionary(nasty, nasty));

describe("an event of a stream", () => {
  it("comes out as it went in, whatever its texts are, as one event", () => {
    fc.assert(
      fc.property(nasty, nasty, nasty, (event, id, data) => {
        const clean = (text: string): string => text.replaceAll(/[\r\n\0]/g, "");
        const [got, ...more] = parse(blockOf({ event, id, data }) + blockOf({ event: "next", data: "1" }));
        expect(more).toMatchObject([{ event: "next", data: "1" }]);
        const lone = /[\ud800-\udfff]/;
        if (lone.test(event + id + data)) return;
        // A space after the colon belongs to the line, one more to the text.
        expect(got).toEqual({
          event: clean(event) === "" ? undefined : clean(event),
          id: clean(id),
          data: data.replaceAll(/\r\n|\r/g, "\n"),
        });
      }),
    );
  });

  it("without data dispatches nothing, and goes along with the next one", () => {
    expect(blockOf({ id: "e.1.x" })).toBe("id: e.1.x\n\n");
    expect(parse(blockOf({ id: "e.1.x" }))).toEqual([]);
  });
});

describe("a message in a stream", () => {
  it("has the event, the cursor and the very data that were published", () => {
    fc.assert(
      fc.property(json, (data) => {
        const text = new Frame(message("log", JSON.stringify(data))).text("e1.7.m:7", false);
        const [got, ...more] = parse(text);
        expect(more).toEqual([]);
        expect(got).toEqual({ event: "log", id: "e1.7.m:7", data: JSON.stringify(data) });
      }),
    );
  });

  it("has the whole message in an envelope, flat", () => {
    fc.assert(
      fc.property(json, (data) => {
        const [got] = parse(new Frame(message("log", JSON.stringify(data))).text("e1.7.m:7", true));
        expect(JSON.parse(got!.data)).toEqual({
          room,
          id: "m:7",
          epoch: "e1",
          offset: 7,
          time: 1_700_000_000_000,
          from: { user: "u", name: ',{"room":"' },
          event: "log",
          data: JSON.parse(JSON.stringify(data)) as unknown,
        });
      }),
    );
  });

  it("stays one event if somebody else's JSON has line ends", () => {
    const [got, ...more] = parse(new Frame(message("log", '{\n"a":\r\n1\r}')).text("e1.7.m:7", false));
    expect(more).toEqual([]);
    expect(JSON.parse(got!.data)).toEqual({ a: 1 });
  });

  it.each(["stream-open", "stream-reset", "stream-error", "keep-alive"])(
    "never looks like the hub's own %s",
    (event) => {
      const frame = new Frame(message(event, "1"));
      expect(parse(frame.text("e1.7.m:7", false))).toMatchObject([{ event: "message" }]);
      expect(JSON.parse(parse(frame.text("e1.7.m:7", true))[0]!.data)).toMatchObject({ event });
    },
  );

  it("has no id if it is ephemeral", () => {
    const frame = new Frame({ room, packet: `["typing",1,{"room":"chat:lobby","id":"x","ephemeral":true}]` });
    expect(frame.cursor).toBeUndefined();
    expect(frame.text(undefined, false)).toBe("event: typing\ndata: 1\n\n");
  });

  it("is one of many bytes that are made once", () => {
    const frames = [1, 2].map((offset) => new Frame(message("log", "1", offset)));
    const joined = new Frames(frames);
    expect(joined.bytes(false)).toBe(joined.bytes(false));
    expect(joined.bytes(false).toString()).toBe(
      "event: log\nid: e1.1.m:7\ndata: 1\n\nevent: log\nid: e1.2.m:7\ndata: 1\n\n",
    );
  });
});
