import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { parseRoomName } from "../../../shared/room-name.ts";
import { DiskBench, draft, drafts, placed } from "../../../test/support/disk-bench.ts";
import type { Appended } from "../../hub/broker.ts";
import { Database } from "./database.ts";
import { messageKey, sealed } from "./records.ts";

const room = parseRoomName("chat:lobby");
const other = parseRoomName("stream:build-42");
/** What version 2 has added to the record of a room. */
const OLDEST_TIME_BYTES = 8;
const KEEP = { messages: 10_000, ageMs: 3_600_000 };

let bench: DiskBench;

beforeEach(() => {
  bench = new DiskBench();
});

afterEach(() => bench.remove());

describe("a data folder", () => {
  test.each(["synced", "written"] as const)(
    "has everything again after a restart (%s)",
    async (durability) => {
      const before = await bench.open({ durability });
      const first = placed(await before.append(room, [draft("a", true), draft("b"), draft("c")], KEEP));
      await before.append(room, [draft("d")], { ...KEEP, messages: 3 });
      const asked = await before.check(other, 0);
      const page = await before.read(room, { after: 0, limit: 9 });
      await before.close();

      const after = await bench.open({ durability });
      expect(await after.read(room, { after: 0, limit: 9 })).toEqual(page);
      expect(page).toMatchObject({ firstOffset: 2, head: { offset: 4, id: "d" } });
      expect(await after.check(other, 0)).toEqual(asked);
      expect(after.rooms({ prefix: "", limit: 9 })).toEqual({ rooms: [{ room, offset: 4 }], more: false });
      const again = placed(await after.append(room, [draft("a", true), draft("e")], KEEP));
      expect(again[0]).toEqual({ ...first[0], duplicate: true });
      expect(again[1]!.position).toMatchObject({ epoch: first[0]!.position.epoch, offset: 5 });
    },
  );

  test("may change its durability with every start", async () => {
    for (const [i, durability] of (
      ["written", "synced", "synced", "written", "written", "synced"] as const
    ).entries()) {
      const store = await bench.open({ durability });
      const [next] = placed(await store.append(room, [draft(`m${i}`)], KEEP));
      expect(next!.position.offset).toBe(i + 1);
      expect(existsSync(join(bench.folder, "unsynced"))).toBe(durability === "written");
      await store.close();
    }
  });

  test("is refused to a second one, with its path and the process that has it", async () => {
    const store = await bench.open();
    await expect(bench.open()).rejects.toMatchObject({
      name: "DataFolderError",
      problem: "in_use",
      pid: process.pid,
      message: expect.stringMatching(new RegExp(`${bench.folder} is in use by process ${process.pid}`)),
    });
    await store.append(room, [draft("a")], KEEP);
    await store.close();
    await (await bench.open()).close();
  });

  test("may have a long path", async () => {
    bench.folder = join(bench.folder, "x".repeat(200));
    const store = await bench.open();
    await expect(bench.open()).rejects.toMatchObject({ problem: "in_use" });
    await store.close();
  });

  test("of a newer version is refused", async () => {
    await (await bench.open()).close();
    writeFileSync(join(bench.folder, "format"), "roomcast 3\n");
    await expect(bench.open()).rejects.toMatchObject({
      problem: "newer",
      message: expect.stringContaining(`${bench.folder} is of a newer version`),
    });
  });

  test("of version 1 is read, and is of version 2 from then on", async () => {
    const before = await bench.open();
    for (const id of ["a", "b", "c"]) await before.append(room, [draft(id, true)], KEEP);
    const page = await before.read(room, { after: 0, limit: 9 });
    await before.close();
    writeFileSync(join(bench.folder, "format"), "roomcast 1\n");
    await bench.spoil("rooms", (key, value) => sealed(key, value.subarray(0, -OLDEST_TIME_BYTES)));

    const after = await bench.open();
    expect(await after.read(room, { after: 0, limit: 9 })).toEqual(page);
    expect(placed(await after.append(room, [draft("b", true), draft("d")], KEEP))).toMatchObject([
      { duplicate: true, position: { offset: 2 } },
      { duplicate: false, position: { offset: 4 } },
    ]);
    bench.now += KEEP.ageMs;
    await after.append(room, [draft("e")], KEEP);
    bench.now += 1;
    expect(await after.read(room, { after: 0, limit: 9 })).toMatchObject({ firstOffset: 5 });
    expect(readFileSync(join(bench.folder, "format"), "utf8")).toBe("roomcast 2\n");
  });

  test("tells how much it holds", async () => {
    const store = await bench.open();
    await store.append(room, drafts(3), KEEP);
    await store.append(other, [draft("a")], KEEP);
    expect(store.size()).toEqual({ rooms: 2, bytes: expect.any(Number) });
    expect(store.size().bytes).toBeGreaterThan(4_096);
  });

  test("that can't be made is told of", async () => {
    writeFileSync(join(bench.folder, "file"), "");
    bench.folder = join(bench.folder, "file", "data");
    await expect(bench.open()).rejects.toMatchObject({
      problem: "unreachable",
      message: expect.stringContaining(bench.folder),
    });
  });
});

describe("a damaged data folder", () => {
  beforeEach(async () => {
    const store = await bench.open();
    const keyed = drafts(20, true);
    await store.append(room, keyed, { ...KEEP, messages: 15 });
    await store.close();
  });

  const flipped = (_key: Buffer, value: Buffer): Buffer => {
    value[value.length >> 1]! ^= 1;
    return value;
  };

  test.each(["rooms", "messages", "ids"] as const)("is refused for one flipped bit in %s", async (table) => {
    await bench.spoil(table, flipped);
    await expect(bench.open()).rejects.toMatchObject({
      problem: "damaged",
      message: expect.stringMatching(new RegExp(`${bench.folder} is damaged .*put a copy of it back`)),
    });
  });

  test.each([
    ["a message", () => undefined, /message \d+ of log 1 is missing/],
    ["a message that another one took the place of", (key: Buffer) => key, /record [0-9a-f]+ is damaged/],
  ])("is refused for lack of %s", async (_what, change, reason) => {
    await bench.spoil("messages", change);
    await expect(bench.open()).rejects.toMatchObject({
      problem: "damaged",
      message: expect.stringMatching(reason),
    });
  });

  test.each([
    ["is cut off", () => truncateSync(join(bench.folder, "rooms.mdb"), 4_096 * 2), /ends after|damaged/],
    [
      "is no data file",
      () => writeFileSync(join(bench.folder, "rooms.mdb"), "x".repeat(100_000)),
      /is no data file/,
    ],
    ["is empty", () => writeFileSync(join(bench.folder, "rooms.mdb"), ""), /is no data file/],
    ["has lost its format", () => rmSync(join(bench.folder, "format")), /its file "format" can't be read/],
    [
      "has an unclear format",
      () => writeFileSync(join(bench.folder, "format"), "1"),
      /its file "format" is unclear/,
    ],
  ])("is refused if it %s", async (_what, harm, reason) => {
    harm();
    await expect(bench.open()).rejects.toMatchObject({
      problem: "damaged",
      message: expect.stringMatching(reason),
    });
  });

  test("that is found while it is read, is an error and never another message", async () => {
    const store = await bench.open();
    await store.append(room, [draft("later")], KEEP);
    const database = new Database(bench.folder, "synced");
    await database.commit([
      { table: "messages", key: messageKey(1, 20), value: Buffer.from("something else") },
    ]);
    await expect(store.read(room, { after: 0, limit: 99 })).rejects.toMatchObject({
      code: "internal",
      cause: { name: "DamagedRecord" },
    });
    await expect(store.check(room, 10)).rejects.toMatchObject({ code: "internal" });
    expect((await store.read(room, { after: 20, limit: 99 })).messages).toHaveLength(1);
    await database.close();
  });
});

describe("a store on disk", () => {
  test("commits together what is asked for in one turn, and answers in that order", async () => {
    const store = await bench.open();
    await store.check(room, 0);
    let turn = 0;
    const answered: [id: number, turn: number][] = [];
    let done = false;
    const count = (): void => {
      turn += 1;
      if (!done) setImmediate(count);
    };
    count();
    const calls = Array.from({ length: 200 }, async (_, i) => {
      await store.append(room, [draft(`m${i}`)], KEEP);
      answered.push([i, turn]);
    });
    await Promise.all(calls);
    done = true;
    expect(answered.map(([i]) => i)).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(new Set(answered.map(([, at]) => at)).size).toBe(1);
  });

  test("gives a room another epoch if it still has the one in question, with all that it keeps", async () => {
    const store = await bench.open();
    const [{ position }] = placed(await store.append(room, [draft("a", true)], KEEP)) as [
      Extract<Appended, { ok: true }>,
    ];
    const [ends, same] = await Promise.all([
      store.renewEpoch(room, position.epoch),
      store.renewEpoch(room, position.epoch),
    ]);
    expect(ends).toEqual(same);
    expect(ends).toMatchObject({ head: { offset: 1, id: "a" }, firstOffset: 1 });
    expect(ends.head.epoch).not.toBe(position.epoch);
    await store.close();
    const { messages } = await (await bench.open()).read(room, { after: 0, limit: 9 });
    expect(messages).toMatchObject([{ epoch: ends.head.epoch, offset: 1, id: "a" }]);
    expect(messages[0]!.packet).toContain(`"epoch":"${ends.head.epoch}"`);
  });

  test("refuses a room's name that is too long for it, and nothing else with it", async () => {
    const store = await bench.open();
    const long = `chat:${"x".repeat(2_000)}` as typeof room;
    const calls = [store.append(long, [draft("a")], KEEP), store.check(long, 0)];
    const kept = store.append(room, [draft("a")], KEEP);
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: "bad_room" });
    expect(placed(await kept)[0]!.position.offset).toBe(1);
  });

  test("takes no more after a write that failed, until a restart", async () => {
    const store = await bench.open();
    await store.append(room, [draft("a")], KEEP);
    const commit = jest.spyOn(Database.prototype, "commit").mockRejectedValueOnce(new Error("I/O error"));
    const away = { code: "unavailable", retryable: true };
    await expect(store.append(room, [draft("b")], KEEP)).rejects.toMatchObject(away);
    await expect(store.append(room, [draft("c")], KEEP)).rejects.toMatchObject(away);
    expect(() => store.ping()).toThrow("can't be written any more");
    expect(commit).toHaveBeenCalledTimes(1);
    commit.mockRestore();
    expect((await store.read(room, { after: 0, limit: 9 })).messages).toHaveLength(1);
    await store.close();
    const [next] = placed(await (await bench.open()).append(room, [draft("b")], KEEP));
    expect(next!.position.offset).toBe(2);
  });

  test("finishes what is under way when it is closed, and takes no more", async () => {
    const store = await bench.open();
    const calls = Promise.all([
      store.append(room, [draft("a")], KEEP),
      store.append(other, [draft("b")], KEEP),
    ]);
    await store.close();
    await calls;
    await expect(store.append(room, [draft("c")], KEEP)).rejects.toMatchObject({ code: "unavailable" });
    const again = await bench.open();
    expect((await again.read(room, { after: 0, limit: 9 })).messages).toHaveLength(1);
    expect(readFileSync(join(bench.folder, "format"), "utf8")).toBe("roomcast 2\n");
  });
});
