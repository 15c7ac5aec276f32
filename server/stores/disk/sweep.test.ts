import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseRoomName } from "../../../shared/room-name.ts";
import { IDENTITY_MS } from "../../../shared/room-options.ts";
import { DiskBench, draft, drafts, placed } from "../../../test/support/disk-bench.ts";

const room = parseRoomName("chat:lobby");
const other = parseRoomName("stream:build-42");
const KEEP = { messages: 10_000, ageMs: 3_600_000 };

let bench: DiskBench;

beforeEach(() => {
  bench = new DiskBench();
});

afterEach(() => bench.remove());

describe("what is over", () => {
  test("is deleted from the disk: by number, age and order, and with it the ids", async () => {
    const store = await bench.open();
    await store.append(room, drafts(1_500, true), KEEP);
    await store.append(room, [draft("few")], { ...KEEP, messages: 100 });
    await store.append(other, drafts(700), KEEP);
    await store.clear(other);
    bench.now += 2_000;
    await store.sweep();
    await store.close();
    // In blocks of 64, of the first of which some are over.
    expect(await bench.counts()).toEqual({ rooms: 2, messages: 4, ids: 0, dead: 0 });
    bench.now += KEEP.ageMs;
    const later = await bench.open();
    await later.sweep();
    await later.close();
    expect(await bench.counts()).toMatchObject({ rooms: 2, messages: 0 });
  });

  test("goes step by step with the appends, so that a full room stays as large as it may be", async () => {
    const store = await bench.open();
    for (let i = 0; i < 50; i += 1) await store.append(room, drafts(10), { ...KEEP, messages: 20 });
    await store.close();
    const { messages } = await bench.counts();
    // Two are kept, and messages of some more wait until there are 64 of them.
    expect(messages).toBeGreaterThanOrEqual(2);
    expect(messages).toBeLessThanOrEqual(2 + 64 / 10);
  });

  test("never takes what is kept, nor ids that are remembered", async () => {
    const store = await bench.open();
    await store.append(room, [draft("old", true)], KEEP);
    bench.now += 999;
    await store.append(room, [draft("new", true)], KEEP);
    bench.now += 900;
    await store.sweep();
    const [again] = placed(await store.append(room, [draft("new", true)], KEEP));
    expect(again).toMatchObject({ duplicate: true, position: { offset: 2 } });
    expect((await store.read(room, { after: 0, limit: 9 })).messages).toHaveLength(2);
  });

  test("is the whole room in the end, which then begins anew", async () => {
    const store = await bench.open();
    const [first] = placed(await store.append(room, drafts(3), KEEP));
    bench.now += KEEP.ageMs + IDENTITY_MS;
    const [again] = placed(await store.append(room, [draft("m1")], KEEP));
    expect(again!.position).toMatchObject({ offset: 1 });
    expect(again!.position.epoch).not.toBe(first!.position.epoch);
    expect((await store.read(room, { after: 0, limit: 9 })).messages).toHaveLength(1);
    await store.append(other, drafts(3), KEEP);
    bench.now += KEEP.ageMs + IDENTITY_MS;
    await store.sweep();
    expect(store.rooms({ prefix: "", limit: 9 }).rooms).toEqual([]);
    await store.close();
    expect(await bench.counts()).toEqual({ rooms: 0, messages: 0, ids: 0, dead: 0 });
  });

  test("is swept while messages come, of many rooms", async () => {
    const store = await bench.open();
    const rooms = Array.from({ length: 450 }, (_, i) => parseRoomName(`chat:${i}`));
    await Promise.all(rooms.map((one) => store.append(one, drafts(10), { ...KEEP, messages: 2 })));
    const sweeping = store.sweep();
    const results = await Promise.all(
      rooms.map((one) => store.append(one, [draft("x")], { ...KEEP, messages: 2 })),
    );
    await sweeping;
    expect(results.flatMap(placed).every(({ position }) => position.offset === 11)).toBe(true);
    await store.sweep();
    await store.close();
    expect(await bench.counts()).toMatchObject({ rooms: 450, messages: 900 });
  });
});
