import { randomBytes } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { isWholeMsgpack } from "./msgpack-shape.ts";

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
const nothing = (length: number): string => "00".repeat(length);

const WHOLE: readonly (readonly [string, string])[] = [
  ["a small number", "07"],
  ["a small negative number", "e0"],
  ["nothing", "c0"],
  ["true", "c3"],
  ["a float", `ca ${nothing(4)}`],
  ["a double", `cb ${nothing(8)}`],
  [
    "numbers of 1 to 8 bytes",
    `98 cc00 cd0000 ce${nothing(4)} cf${nothing(8)} d000 d10000 d2${nothing(4)} d3${nothing(8)}`,
  ],
  ["a small text", "a3 616263"],
  ["texts of each length", "93 d901 61 da0001 61 db00000001 61"],
  ["binary of each length", "93 c401 00 c50001 00 c600000001 00"],
  ["extensions of each length", "93 c701 00 61 c80001 00 61 c900000001 00 61"],
  [
    "extensions of fixed length",
    `95 d4${nothing(2)} d5${nothing(3)} d6${nothing(5)} d7${nothing(9)} d8${nothing(17)}`,
  ],
  ["lists of each length", "93 90 dc0001 c0 dd00000001 c0"],
  ["maps of each length", "93 80 de0001 a161 c0 df00000001 a161 91c0"],
];

describe("the shape of MessagePack", () => {
  test.each(WHOLE)("is whole for %s, and not for one byte less or more", (_name, hex) => {
    const whole = bytes(hex);
    expect(isWholeMsgpack(whole)).toBe(true);
    expect(isWholeMsgpack(whole.subarray(0, -1))).toBe(false);
    expect(isWholeMsgpack(Buffer.concat([whole, Buffer.of(0)]))).toBe(false);
  });

  test.each([
    ["nothing at all", ""],
    ["the prefix that means nothing", "c1"],
    ["an extension of 4 GiB", "c9 ffffffff 00"],
    ["a text of 4 GiB", "db ffffffff"],
    ["a list of 4 G entries", "dd ffffffff c0"],
    ["a map of 4 G entries", "df ffffffff c0 c0"],
    ["a length that is cut off", "db ffff"],
  ])("is broken for %s", (_name, hex) => {
    expect(isWholeMsgpack(bytes(hex))).toBe(false);
  });

  test("is told in no time, however deep and long", () => {
    const deep = Buffer.concat([Buffer.alloc(1_000_000, 0x91), Buffer.of(0xc0)]);
    const started = performance.now();
    expect(isWholeMsgpack(deep)).toBe(true);
    expect(isWholeMsgpack(deep.subarray(1, -1))).toBe(false);
    for (let i = 0; i < 2_000; i += 1) isWholeMsgpack(randomBytes(1_000));
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test("of whole values in a list is whole, and of no shorter part of it", () => {
    const values = fc.array(fc.constantFrom(...WHOLE.map(([, hex]) => bytes(hex))), { maxLength: 15 });
    const check = fc.property(values, fc.double({ min: 0, max: 0.999, noNaN: true }), (items, part) => {
      const list = Buffer.concat([Buffer.of(0x90 + items.length), ...items]);
      expect(isWholeMsgpack(list)).toBe(true);
      expect(isWholeMsgpack(list.subarray(0, Math.floor(list.length * part)))).toBe(false);
    });
    fc.assert(check);
  });
});
