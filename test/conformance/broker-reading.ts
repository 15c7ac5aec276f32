import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { RoomName } from "../../shared/room-name.ts";
import type { HistoryQuery, StoredMessage } from "../../server/hub/broker.ts";
import {
  appendAll,
  type BrokerNodes,
  draft,
  Ear,
  freshRoom,
  KEEP,
  type MakeNodes,
  offsetsOf,
  range,
} from "./broker-nodes.ts";

const FIRST = 9;
const LAST = 20;

export function describeReading(makeNodes: MakeNodes): void {
  let nodes: BrokerNodes;

  beforeAll(async () => {
    nodes = await makeNodes();
    await Promise.all([nodes.a.start(new Ear()), nodes.b.start(new Ear())]);
  });

  afterAll(() => nodes.close());

  describe("reading", () => {
    /** Offsets 9 to 20 are kept of 20. */
    async function trimmedRoom(): Promise<RoomName> {
      const room = freshRoom();
      const drafts = range(1, LAST).map((value) => draft(room, value));
      await nodes.a.append(room, drafts, { ...KEEP, messages: LAST - FIRST + 1 });
      return room;
    }

    const offsets = async (room: RoomName, query: HistoryQuery): Promise<number[]> => {
      const { messages, firstOffset, head } = await nodes.b.read(room, query);
      expect([firstOffset, head.offset, head.id]).toEqual([FIRST, LAST, (await lastOf(room)).id]);
      return offsetsOf(messages);
    };

    const lastOf = async (room: RoomName): Promise<StoredMessage> =>
      (await nodes.a.read(room, { after: LAST - 1, limit: 1 })).messages[0]!;

    test("after an offset gives what follows it, oldest first", async () => {
      const room = await trimmedRoom();
      const queries = fc.record({
        after: fc.integer({ min: 0, max: LAST + 3 }),
        limit: fc.integer({ min: 1, max: 25 }),
      });
      const check = fc.asyncProperty(queries, async ({ after, limit }) => {
        const kept = range(FIRST, LAST).filter((offset) => offset > after);
        expect(await offsets(room, { after, limit })).toEqual(kept.slice(0, limit));
      });
      await fc.assert(check, {
        numRuns: 60,
        examples: [
          [0, 1],
          [FIRST - 2, 25],
          [FIRST - 1, 25],
          [FIRST, 25],
          [LAST - 1, 25],
          [LAST, 25],
          [LAST + 1, 25],
        ].map(([after, limit]) => [{ after: after!, limit: limit! }]),
      });
    });

    test("before an offset gives the ones right before it, oldest first", async () => {
      const room = await trimmedRoom();
      const queries = fc.record({
        before: fc.integer({ min: 0, max: LAST + 3 }),
        limit: fc.integer({ min: 1, max: 25 }),
      });
      const check = fc.asyncProperty(queries, async ({ before, limit }) => {
        const kept = range(FIRST, LAST).filter((offset) => offset < before);
        expect(await offsets(room, { before, limit })).toEqual(kept.slice(-limit));
      });
      await fc.assert(check, {
        numRuns: 60,
        examples: [
          [1, 25],
          [FIRST, 25],
          [FIRST + 1, 25],
          [LAST, 25],
          [LAST + 1, 1],
          [LAST + 2, 12],
          [LAST + 2, 13],
        ].map(([before, limit]) => [{ before: before!, limit: limit! }]),
      });
    });

    test("of zero messages gives the ends alone", async () => {
      const room = await trimmedRoom();
      expect(await offsets(room, { after: FIRST, limit: 0 })).toEqual([]);
      expect(await offsets(room, { before: LAST, limit: 0 })).toEqual([]);
      expect(await offsets(room, { youngerThanMs: 60_000, limit: 0 })).toEqual([]);
    });

    test("by age begins with the first message that is young enough", async () => {
      const room = freshRoom();
      await appendAll(nodes.a, room, [1, 2]);
      await nodes.pass(300);
      await appendAll(nodes.a, room, [3]);
      await nodes.pass(5);
      await appendAll(nodes.b, room, [4, 5]);
      const young = async (youngerThanMs: number, limit = 10): Promise<number[]> =>
        offsetsOf((await nodes.b.read(room, { youngerThanMs, limit })).messages);
      expect(await young(250)).toEqual([3, 4, 5]);
      expect(await young(250, 2)).toEqual([3, 4]);
      expect(await young(60_000)).toEqual([1, 2, 3, 4, 5]);
      expect(await young(60_000, 1)).toEqual([1]);
      await nodes.pass(20);
      expect(await young(10)).toEqual([]);
    });

    test("of a room that never was gives it an epoch, the same to everyone", async () => {
      const room = freshRoom();
      const pages = await Promise.all(
        range(1, 8).map((i) => (i % 2 === 0 ? nodes.a : nodes.b).read(room, { after: 0, limit: 10 })),
      );
      expect(pages[0]).toEqual({
        messages: [],
        firstOffset: 1,
        head: { epoch: pages[0]!.head.epoch, offset: 0, id: "" },
      });
      expect(new Set(pages.map(({ head }) => head.epoch)).size).toBe(1);
      const [first] = await appendAll(nodes.a, room, ["x"]);
      expect(first!.position).toMatchObject({ epoch: pages[0]!.head.epoch, offset: 1 });
    });
  });

  describe("checking", () => {
    test("tells the id at each offset that is kept, and none elsewhere", async () => {
      const room = freshRoom();
      const drafts = range(1, 6).map((value) => draft(room, value, { id: `m${value}` }));
      await nodes.a.append(room, drafts, { ...KEEP, messages: 4 });
      const results = await nodes.b.check(range(0, 8).map((offset) => ({ room, offset })));
      const none = undefined;
      expect(results.map(({ idAt }) => idAt)).toEqual([none, none, none, "m3", "m4", "m5", "m6", none, none]);
      for (const { head, firstOffset } of results)
        expect([head.offset, head.id, firstOffset]).toEqual([6, "m6", 3]);
    });

    test("answers for many rooms, each in its place", async () => {
      const rooms = range(1, 40).map(() => freshRoom());
      await Promise.all(
        rooms.map((room, i) => appendAll(i % 2 === 0 ? nodes.a : nodes.b, room, range(1, i % 5))),
      );
      const results = await nodes.a.check(rooms.map((room, i) => ({ room, offset: i % 5 })));
      expect(results.map(({ head }) => head.offset)).toEqual(rooms.map((_, i) => i % 5));
      expect(results.every(({ idAt, head }) => idAt === head.id)).toBe(true);
      await expect(nodes.a.check([])).resolves.toEqual([]);
    });

    test("tells the heads of many rooms at once, and of those that never were nothing", async () => {
      const rooms = range(1, 40).map(() => freshRoom());
      await Promise.all(rooms.map((room, i) => appendAll(nodes.a, room, range(1, i % 3))));
      await nodes.a.check([{ room: rooms[3]!, offset: 0 }]);
      const heads = await nodes.b.heads(rooms);
      const checks = await nodes.a.check(rooms.map((room) => ({ room, offset: 0 })));
      expect(heads).toEqual(checks.map(({ head }, i) => (i % 3 === 0 && i !== 3 ? undefined : head)));
      await expect(nodes.a.heads([])).resolves.toEqual([]);
    });

    test("makes the epoch of a room that never was, for good", async () => {
      const room = freshRoom();
      const [[one], [other]] = await Promise.all([
        nodes.a.check([{ room, offset: 0 }]),
        nodes.b.check([{ room, offset: 0 }]),
      ]);
      expect(one).toEqual({
        head: { epoch: other!.head.epoch, offset: 0, id: "" },
        firstOffset: 1,
        idAt: "",
      });
      expect((await nodes.b.check([{ room, offset: 5 }]))[0]).toEqual({ ...one, idAt: undefined });
    });
  });

  test("answers a ping until it is closed, and is unavailable then", async () => {
    const closing = await makeNodes();
    await Promise.all([closing.a.start(new Ear()), closing.b.start(new Ear())]);
    await closing.a.ping();
    await closing.a.close();
    const room = freshRoom();
    for (const request of [
      closing.a.ping(),
      closing.a.append(room, [draft(room, 1)], KEEP),
      closing.a.read(room, { after: 0, limit: 1 }),
      closing.a.heads([room]),
      closing.a.check([{ room, offset: 0 }]),
      closing.a.rooms({ prefix: "", limit: 1 }),
      closing.a.renewEpoch(room, "e"),
      closing.a.clear(room),
      closing.a.broadcast(room, draft(room, 1)),
      closing.a.subscribe(room),
    ]) {
      await expect(request).rejects.toMatchObject({ code: "unavailable" });
    }
    await closing.b.ping();
    await closing.close();
  });
}
