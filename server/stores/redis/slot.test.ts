import { describe, expect, test } from "@jest/globals";
import { slotOf } from "./slot.ts";

describe("the slot of a key", () => {
  // Each as CLUSTER KEYSLOT of Redis 7.0.15 says.
  test.each([
    ["", 0],
    ["123456789", 12_739],
    ["roomcast:rooms", 14_572],
    ["roomcast:options", 3_363],
    ["{chat:lobby}", 9_590],
    ["a{}b{c}", 7_353],
    ["a{b", 13_340],
    ["ü€😀", 10_853],
  ])("of %j is %i", (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });

  test("is one for all keys and the channel of a room", () => {
    const names = [
      "roomcast:log:{chat:lobby}",
      "roomcast:ids-before:{chat:lobby}",
      "socket.io#/#{chat:lobby}#",
    ];
    expect(new Set(names.map(slotOf))).toEqual(new Set([slotOf("chat:lobby")]));
  });
});
