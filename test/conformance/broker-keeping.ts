import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseRoomName } from "../../shared/room-name.ts";
import { until } from "../support/wait.ts";
import {
  appendAll,
  type BrokerNodes,
  draft,
  Ear,
  freshRoom,
  KEEP,
  type MakeNodes,
  offsetsOf,
  placed,
  range,
} from "./broker-nodes.ts";

export function describeKeeping(makeNodes: MakeNodes): void {
  let nodes: BrokerNodes;
  let earB: Ear;

  beforeAll(async () => {
    nodes = await makeNodes();
    earB = new Ear();
    await Promise.all([nodes.a.start(new Ear()), nodes.b.start(earB)]);
  });

  afterAll(() => nodes.close());

  describe("keeping", () => {
    test("holds n messages and lets the first of n + 1 go", async () => {
      const room = freshRoom();
      const retention = { ...KEEP, messages: 3 };
      for (const value of range(1, 3)) await nodes.a.append(room, [draft(room, value)], retention);
      expect(await nodes.b.read(room, { after: 0, limit: 10 })).toMatchObject({
        firstOffset: 1,
        head: { offset: 3 },
      });
      await nodes.a.append(room, [draft(room, 4)], retention);
      const page = await nodes.b.read(room, { after: 0, limit: 10 });
      expect(page).toMatchObject({ firstOffset: 2, head: { offset: 4 } });
      expect(offsetsOf(page.messages)).toEqual([2, 3, 4]);
    });

    test("holds the newest n of a batch that is larger", async () => {
      const room = freshRoom();
      const drafts = range(1, 7).map((value) => draft(room, value));
      await nodes.a.append(room, drafts, { ...KEEP, messages: 2 });
      const page = await nodes.b.read(room, { after: 0, limit: 10 });
      expect(offsetsOf(page.messages)).toEqual([6, 7]);
      expect(page.firstOffset).toBe(6);
    });

    test("of no messages still gives positions and delivers", async () => {
      const room = freshRoom();
      await nodes.b.subscribe(room);
      const none = { ...KEEP, messages: 0 };
      await nodes.a.append(room, [draft(room, 1, { id: "first" })], none);
      await nodes.a.append(room, [draft(room, 2, { id: "second" })], none);
      await until(() => earB.of(room).length === 2);
      expect(offsetsOf(earB.of(room))).toEqual([1, 2]);
      const page = await nodes.b.read(room, { after: 0, limit: 10 });
      expect(page).toMatchObject({ messages: [], firstOffset: 3, head: { offset: 2, id: "second" } });
      const checks = await nodes.a.check([
        { room, offset: 1 },
        { room, offset: 2 },
      ]);
      expect(checks.map(({ idAt }) => idAt)).toEqual([undefined, "second"]);
    });

    test("may begin, end and begin again as the options change", async () => {
      const room = freshRoom();
      for (const messages of [5, 5, 0, 5, 5])
        await nodes.a.append(room, [draft(room, 1)], { ...KEEP, messages });
      const page = await nodes.b.read(room, { after: 0, limit: 10 });
      expect(offsetsOf(page.messages)).toEqual([4, 5]);
      expect(page.firstOffset).toBe(4);
    });

    test("ends with the age, message by message, while positions go on", async () => {
      const room = freshRoom();
      const retention = { messages: 100, ageMs: 400 };
      const old = placed((await nodes.a.append(room, [draft(room, 1), draft(room, 2)], retention))[0]);
      await nodes.pass(250);
      await nodes.a.append(room, [draft(room, 3)], retention);
      await nodes.pass(200);
      const page = await nodes.b.read(room, { after: 0, limit: 10 });
      expect(offsetsOf(page.messages)).toEqual([3]);
      expect(page.firstOffset).toBe(3);
      const [check] = await nodes.b.check([{ room, offset: 1 }]);
      expect(check).toMatchObject({ idAt: undefined, firstOffset: 3, head: { offset: 3 } });
      await nodes.pass(500);
      const empty = await nodes.b.read(room, { before: 100, limit: 10 });
      expect(empty).toMatchObject({
        messages: [],
        firstOffset: 4,
        head: { offset: 3, epoch: old.position.epoch },
      });
      const next = placed((await nodes.a.append(room, [draft(room, 4)], retention))[0]);
      expect(next.position).toMatchObject({ offset: 4, epoch: old.position.epoch });
    });
  });

  describe("clearing", () => {
    test("forgets the messages and keeps epoch, offset and ids", async () => {
      const room = freshRoom();
      const message = draft(room, "keyed", { id: "key", keyed: true });
      const first = placed((await nodes.a.append(room, [message], KEEP))[0]);
      await appendAll(nodes.a, room, [2, 3]);
      const [before] = await nodes.b.check([{ room, offset: 0 }]);
      await nodes.b.clear(room);
      const page = await nodes.a.read(room, { after: 0, limit: 10 });
      expect(page).toEqual({ messages: [], firstOffset: 4, head: before!.head });
      expect(placed((await nodes.a.append(room, [message], KEEP))[0])).toEqual({ ...first, duplicate: true });
      const [next] = await appendAll(nodes.b, room, [4]);
      expect(next!.position).toMatchObject({ epoch: first.position.epoch, offset: 4 });
      expect(offsetsOf((await nodes.a.read(room, { after: 0, limit: 10 })).messages)).toEqual([4]);
    });

    test("does no harm to a room that never was", async () => {
      const room = freshRoom();
      await nodes.a.clear(room);
      const [first] = await appendAll(nodes.a, room, [1]);
      expect(first!.position.offset).toBe(1);
    });
  });

  describe("listing rooms", () => {
    const named = (kind: string, names: readonly string[]) =>
      names.map((name) => parseRoomName(`${kind}:${name}`));

    test("goes by prefix, in the order of the names, page by page", async () => {
      const kind = `list-${freshRoom().slice(-4).replaceAll(/\W/g, "")}`;
      // U+FF5E is before U+10400 in Unicode and in UTF-8, but not in UTF-16.
      const rooms = named(kind, ["a", "a:b", "b", "ünder", "ｚ", "𐐀", "zz"]);
      for (const room of rooms.toReversed()) await appendAll(nodes.a, room, [1, 2]);
      await appendAll(nodes.a, freshRoom("other"), [1]);
      const prefix = `${kind}:`;
      const all = await until(async () => {
        const page = await nodes.b.rooms({ prefix, limit: 7 });
        return page.rooms.length === 7 && page;
      });
      expect(all.more).toBe(false);
      const order = ["a", "a:b", "b", "zz", "ünder", "ｚ", "𐐀"];
      expect(all.rooms).toEqual(named(kind, order).map((room) => ({ room, offset: 2 })));
      const first = await nodes.a.rooms({ prefix, limit: 3 });
      const second = await nodes.a.rooms({ prefix, limit: 3, after: first.rooms.at(-1)!.room });
      const third = await nodes.a.rooms({ prefix, limit: 3, after: second.rooms.at(-1)!.room });
      expect([first.more, second.more, third.more]).toEqual([true, true, false]);
      expect([...first.rooms, ...second.rooms, ...third.rooms]).toEqual(all.rooms);
      const some = await nodes.a.rooms({ prefix: `${prefix}a`, limit: 10 });
      expect(some.rooms.map(({ room }) => room)).toEqual(named(kind, ["a", "a:b"]));
      expect(await nodes.a.rooms({ prefix: `${prefix}c`, limit: 10 })).toEqual({ rooms: [], more: false });
    });

    test("leaves out rooms that were only asked for", async () => {
      const kind = `asked${process.pid}`;
      const [asked, used] = [freshRoom(kind), freshRoom(kind)];
      await nodes.a.check([{ room: asked, offset: 0 }]);
      await nodes.a.read(asked, { after: 0, limit: 1 });
      await nodes.a.append(used, [draft(used, 1)], KEEP);
      const page = await until(async () => {
        const found = await nodes.b.rooms({ prefix: `${kind}:`, limit: 10 });
        return found.rooms.length > 0 && found;
      });
      expect(page).toEqual({ rooms: [{ room: used, offset: 1 }], more: false });
    });
  });
}
