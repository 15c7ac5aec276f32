import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { parseRoomName } from "../../../shared/room-name.ts";
import { DiskBench, drafts, placed } from "../../../test/support/disk-bench.ts";
import { blockEnd, decodeBlock, encodeBlock } from "./message-blocks.ts";
import { messageKey } from "./records.ts";

const room = parseRoomName("chat:lobby");
const KEEP = { messages: 10_000, ageMs: 3_600_000 };

let bench: DiskBench;

beforeEach(() => {
  bench = new DiskBench();
});

afterEach(() => bench.remove());

const message = fc.record({
  id: fc.stringMatching(/^[A-Za-z0-9_.:-]{1,64}$/),
  head: fc.string({ unit: "grapheme" }),
});

describe("a block of messages", () => {
  test("has every message again that was put into it, under its offset", () => {
    const messages = fc.array(message, { minLength: 1, maxLength: 64 });
    const check = fc.property(messages, fc.nat(), fc.nat(), (some, before, time) => {
      const key = messageKey(7, before + some.length);
      const block = decodeBlock(key, encodeBlock(key, time, some));
      expect([block.first, block.last]).toEqual([before + 1, before + some.length]);
      expect(some.map((_, i) => block.at(before + 1 + i))).toEqual(some.map((one) => ({ time, ...one })));
    });
    fc.assert(check);
  });

  test("ends after 64 messages, or 16,384 characters, and has one however long it is", () => {
    const short = Array.from({ length: 100 }, () => ({ id: "a", head: "x" }));
    expect([blockEnd(short, 0), blockEnd(short, 64)]).toEqual([64, 100]);
    const long = [1, 16_383, 1, 20_000, 1].map((length) => ({ id: "a", head: "x".repeat(length) }));
    expect([blockEnd(long, 0), blockEnd(long, 2), blockEnd(long, 4)]).toEqual([2, 4, 5]);
  });

  test("gives each of its messages alone, and the rest where its beginning is no longer kept", async () => {
    const store = await bench.open();
    const appended = placed(await store.append(room, drafts(200), KEEP));
    for (const { position } of appended) {
      const { messages } = await store.read(room, { after: position.offset - 1, limit: 1 });
      expect(messages).toMatchObject([{ offset: position.offset, id: position.id }]);
      expect((await store.check(room, position.offset)).idAt).toBe(position.id);
    }
    await store.append(room, drafts(1), { ...KEEP, messages: 101 });
    const { firstOffset, messages } = await store.read(room, { after: 0, limit: 300 });
    expect([firstOffset, messages.length, messages[0]?.offset]).toEqual([101, 101, 101]);
    expect((await store.check(room, 100)).idAt).toBeUndefined();
    await store.close();
    const again = await bench.open();
    expect((await again.read(room, { after: 0, limit: 300 })).messages).toEqual(messages);
  });
});
