import { describe, expect, test } from "@jest/globals";
import { nameProblem } from "./identity.ts";
import { linkify } from "./links.ts";
import { recentRooms, visit } from "./recent-rooms.ts";
import { pathOf, routeOf, typedRoom } from "./rooms.ts";
import type { Storage } from "./storage.ts";

function storageOf(kept: Record<string, string> = {}): Storage {
  return { get: (key) => kept[key], set: (key, value) => void (kept[key] = value) };
}

describe("links in a message", () => {
  test.each([
    ["see https://a.example/b?c=d#e.", ["https://a.example/b?c=d#e"]],
    ["(http://a.example/x_(y))", ["http://a.example/x_(y))".slice(0, -1)]],
    ["(http://a.example)", ["http://a.example"]],
    ["http://a.example, https://b.example!", ["http://a.example", "https://b.example"]],
    ["javascript:alert(1) data:text/html,x ftp://a.example", []],
    ["xhttps://a.example", []],
    ["https://", []],
    [`http://a.example/"onclick=alert(1)`, ["http://a.example/"]],
  ])("of %j are %j", (text, links) => {
    const pieces = linkify(text);
    expect(pieces.map((piece) => piece.text).join("")).toBe(text);
    expect(pieces.flatMap(({ href }) => href ?? [])).toEqual(links);
  });
});

describe("an address", () => {
  test.each(["chat:lobby", "stream:größe/2", "stream:a@b~c+d=e"])("of %s leads back to it", (room) => {
    expect(routeOf(pathOf(room))).toMatchObject({ page: room.split(":")[0], room });
  });

  test.each(["/chat/", "/chat/a/b", "/chat/%ff", "/chat/no%20room", "/stream/%3Cimg%3E", "/other"])(
    "like %s has no room, and says why",
    (path) => {
      expect(routeOf(path)).toMatchObject({ page: "unknown", reason: expect.stringMatching(/./) });
    },
  );

  test("is made of what was typed", () => {
    expect(typedRoom("chat", "  my  team ")).toBe("chat:my-team");
    for (const typed of ["", "a:b", "a?b"]) expect(() => typedRoom("chat", typed)).toThrow();
  });
});

describe("what a browser keeps", () => {
  test("is the latest rooms, each once", () => {
    const storage = storageOf();
    for (const n of [1, 2, 3, 1, 4, 5, 6, 7, 8, 9]) visit(storage, `chat:${n}`);
    expect(recentRooms(storage)).toEqual([9, 8, 7, 6, 5, 4, 1, 3].map((n) => `chat:${n}`));
  });

  test.each(["{", "5", `[5, null, "no room", "chat:a"]`])("may be anything: %s", (text) => {
    expect(recentRooms(storageOf({ "roomcast.recent": text }))).toEqual(text.length > 5 ? ["chat:a"] : []);
  });

  test("is a name that the hub will take", () => {
    expect([nameProblem("ana"), nameProblem("x".repeat(64))]).toEqual([undefined, undefined]);
    expect(nameProblem("  ")).toMatch(/./);
    expect(nameProblem("x".repeat(65))).toMatch(/64/);
  });
});
