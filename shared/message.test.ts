import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { HubError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { encodeData, parseEvent, parseMessageId } from "./message.ts";
import { eventOf, messageOf, packetHead, packetTail, placeOf } from "./packet.ts";
import { parseRoomName } from "./room-name.ts";
import { utf8Length } from "./utf8.ts";

const codeOf = (run: () => unknown): string => {
  try {
    run();
    return "none";
  } catch (error) {
    return error instanceof HubError ? error.code : String(error);
  }
};
const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels));

describe("an event's name", () => {
  it.each(["log", "message", "a", "A.b:c-d_e", `e${"x".repeat(99)}`])("may be %s", (name) => {
    expect(parseEvent(name)).toBe(name);
  });

  it.each([
    "",
    "1a",
    "_a",
    "a b",
    "__proto__",
    "é",
    "connect",
    "disconnect",
    "room:gap",
    "hub:closing",
    `e${"x".repeat(100)}`,
    7,
    undefined,
  ])("is refused as %j", (name) => {
    expect(codeOf(() => parseEvent(name))).toBe("bad_event");
  });
});

describe("a message's id", () => {
  it("has 1 to 64 characters", () => {
    expect(parseMessageId("x".repeat(64))).toHaveLength(64);
    expect(codeOf(() => parseMessageId("x".repeat(65)))).toBe("bad_request");
    expect(codeOf(() => parseMessageId(""))).toBe("bad_request");
  });
});

const encode = (data: unknown): string => encodeData(data, DEFAULT_LIMITS);

describe("data", () => {
  it("is exactly JSON", () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => encode(value) === JSON.stringify(value)));
  });

  it("takes 64 KiB and not a byte more", () => {
    expect(encode("x".repeat(DEFAULT_LIMITS.dataBytes - 2))).toHaveLength(DEFAULT_LIMITS.dataBytes);
    expect(codeOf(() => encode("x".repeat(DEFAULT_LIMITS.dataBytes - 1)))).toBe("too_large");
    expect(codeOf(() => encode("é".repeat(DEFAULT_LIMITS.dataBytes / 2)))).toBe("too_large");
  });

  it("is nested 32 deep and not deeper", () => {
    expect(codeOf(() => encode(nested(32)))).toBe("none");
    expect(codeOf(() => encode(nested(33)))).toBe("bad_request");
    expect(codeOf(() => encode(nested(10_000)))).toBe("bad_request");
  });

  it.each([
    ["nothing", undefined],
    ["a Buffer", Buffer.from("x")],
    ["a Buffer inside", { a: [new Uint8Array(3)] }],
    ["NaN", Number.NaN],
    ["Infinity inside", [Infinity]],
    ["a function", () => 1],
    ["a Map", new Map()],
    ["a bigint", 1n],
  ])("is refused as %s", (_, value) => {
    expect(codeOf(() => encode(value))).toBe("bad_request");
  });

  it("drops what is undefined and writes dates as ISO 8601, as JSON.stringify does", () => {
    expect(encode({ a: undefined, at: new Date(0) })).toBe('{"at":"1970-01-01T00:00:00.000Z"}');
  });

  it("keeps a key called __proto__ as a key", () => {
    const text = '{"__proto__":{"admin":true}}';
    expect(encode(JSON.parse(text))).toBe(text);
  });
});

describe("a packet", () => {
  const room = parseRoomName("chat:lobby");
  const place = { id: "m1", epoch: "e1", offset: 7, time: 1_700_000_000_000 };

  it("gives back what it was made of", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        const packet =
          packetHead(room, "message", JSON.stringify(data), { user: "u", name: 'a"b' }) + packetTail(place);
        expect(placeOf(packet)).toEqual(place);
        expect(eventOf(packet)).toBe("message");
        const from = { user: "u", name: 'a"b' };
        expect(messageOf(packet)).toEqual({
          room,
          from,
          ...place,
          event: "message",
          data: JSON.parse(JSON.stringify(data)),
        });
      }),
    );
  });

  it("takes its place from its end, whatever its data looks like", () => {
    const forged = packetTail({ id: "forged", epoch: "evil", offset: 99, time: 1 });
    const packet = packetHead(room, "message", JSON.stringify(forged), undefined) + packetTail(place);
    expect(placeOf(packet)).toEqual(place);
    expect(placeOf(packetHead(room, "message", JSON.stringify(forged), undefined))).toBeUndefined();
  });
});

describe("utf8Length", () => {
  it("agrees with the encoder on every text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => utf8Length(text) === Buffer.byteLength(text)),
    );
  });

  it("counts a lone surrogate as its replacement", () => {
    expect(utf8Length("\ud800")).toBe(Buffer.byteLength("\ud800"));
  });
});
