import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { HubError } from "./errors.ts";
import { parseRoomAlias, parseRoomName, roomKind } from "./room-name.ts";

const codeOf = (run: () => unknown): string => {
  try {
    run();
    return "none";
  } catch (error) {
    return error instanceof HubError ? error.code : String(error);
  }
};

describe("a room's name", () => {
  it.each([
    "chat:lobby",
    "stream:build-42",
    "user:guest:abc",
    "a:b",
    "stream:a/b@c~d+e=f_g.h:i",
    "chat:café",
    "chat:Привет",
    "chat:東京",
    "stream:__proto__",
    "stream:1e3",
    "stream:..",
    `stream:${"x".repeat(200)}`,
    `${"k".repeat(32)}:x`,
  ])("allows %s", (name) => {
    expect(parseRoomName(name)).toBe(name);
  });

  it.each([
    "",
    "lobby",
    ":lobby",
    "chat:",
    "Chat:lobby",
    "1chat:x",
    "chat:a b",
    "chat:a\nb",
    "chat:a\u0000",
    "chat:{x}",
    "chat:a*b",
    "chat:a#b",
    "chat:a?b",
    "chat:a%20b",
    "chat:\u202ebad",
    "chat:\ud800",
    "chat:a\u200bb",
    "__proto__",
    `stream:${"x".repeat(201)}`,
    `stream:${"é".repeat(101)}`,
    `${"k".repeat(33)}:x`,
    "x".repeat(1_000_000),
  ])("refuses %j with bad_room", (name) => {
    expect(codeOf(() => parseRoomName(name))).toBe("bad_room");
  });

  it.each([undefined, null, 7, {}, [], ["chat:lobby"], true])("refuses %j, which is no text", (name) => {
    expect(codeOf(() => parseRoomName(name))).toBe("bad_room");
  });

  it("is the same for both spellings of one text", () => {
    expect(parseRoomName("chat:cafe\u0301")).toBe(parseRoomName("chat:caf\u00e9"));
  });

  it("counts its limit in bytes after the kind", () => {
    expect(parseRoomName(`chat:${"é".repeat(100)}`)).toHaveLength(105);
  });

  it("is its own check's fixed point", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const once = codeOf(() => parseRoomName(text)) === "none" ? parseRoomName(text) : undefined;
        return once === undefined || parseRoomName(once) === once;
      }),
    );
  });

  it("may be bare where a bare name means a stream", () => {
    expect(parseRoomAlias("build-42")).toBe("stream:build-42");
    expect(parseRoomAlias("chat:lobby")).toBe("chat:lobby");
    expect(codeOf(() => parseRoomAlias(7))).toBe("bad_room");
  });

  it("begins with its kind", () => {
    expect(roomKind(parseRoomName("user:guest:abc"))).toBe("user");
  });
});
