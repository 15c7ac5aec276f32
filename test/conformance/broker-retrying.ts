import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
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

export function describeRetrying(makeNodes: MakeNodes): void {
  let nodes: BrokerNodes;

  beforeAll(async () => {
    nodes = await makeNodes();
    await Promise.all([nodes.a.start(new Ear()), nodes.b.start(new Ear())]);
  });

  afterAll(() => nodes.close());

  describe("a message that was sent before under an id that nothing remembers", () => {
    test("is found in the log, by either node, and is no second message", async () => {
      const room = freshRoom();
      await appendAll(nodes.a, room, range(1, 3));
      const message = draft(room, "once");
      const first = placed((await nodes.a.append(room, [message], KEEP))[0]);
      await appendAll(nodes.a, room, range(1, 120));
      const retry = { ...message, sentAgoMs: 5_000 };
      const [next, again] = await nodes.b.append(room, [draft(room, "next"), retry], KEEP);
      expect(placed(next).position.offset).toBe(125);
      expect(placed(again)).toEqual({ ...first, duplicate: true });
      const { messages } = await nodes.a.read(room, { after: 0, limit: 200 });
      expect(offsetsOf(messages)).toEqual(range(1, 125));
    });

    test("is stored if it is not there, once for all who retry", async () => {
      const room = freshRoom();
      const message = { ...draft(room, "once"), sentAgoMs: 5_000 };
      const calls = range(1, 64).map((i) => (i % 2 === 0 ? nodes.a : nodes.b).append(room, [message], KEEP));
      const results = (await Promise.all(calls)).flat().map(placed);
      expect(results.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      expect(new Set(results.map(({ position }) => position.offset))).toEqual(new Set([1]));
    });

    test("is id_reused for other content", async () => {
      const room = freshRoom();
      const message = draft(room, "once");
      await nodes.a.append(room, [message], KEEP);
      const other = { ...draft(room, "other", { id: message.id }), sentAgoMs: 100 };
      expect((await nodes.b.append(room, [other], KEEP))[0]).toMatchObject({ error: { code: "id_reused" } });
    });

    test("is remembered from then on if its id is given by its sender", async () => {
      const room = freshRoom();
      const message = draft(room, "once");
      const first = placed((await nodes.a.append(room, [message], KEEP))[0]);
      const keyed = { ...message, keyed: true };
      await nodes.a.append(room, [{ ...keyed, sentAgoMs: 100 }], KEEP);
      await nodes.a.clear(room);
      expect(placed((await nodes.b.append(room, [keyed], KEEP))[0])).toEqual({ ...first, duplicate: true });
    });

    test("is unavailable, and not stored, where the log is too short to tell", async () => {
      const [short, cleared, none] = [freshRoom(), freshRoom(), freshRoom()];
      const [few, nothing] = [
        { ...KEEP, messages: 3 },
        { ...KEEP, messages: 0 },
      ];
      for (const value of range(1, 4)) await nodes.a.append(short, [draft(short, value)], few);
      await appendAll(nodes.a, cleared, [1]);
      await nodes.a.clear(cleared);
      await nodes.a.append(none, [draft(none, 1)], nothing);
      for (const [room, keep, top] of [
        [short, few, 4],
        [cleared, KEEP, 1],
        [none, nothing, 1],
      ] as const) {
        const retry = { ...draft(room, "unknown"), sentAgoMs: 60_000 };
        const [result] = await nodes.b.append(room, [retry], keep);
        expect(result).toMatchObject({ ok: false, error: { code: "unavailable", retryable: true } });
        expect((await nodes.a.check([{ room, offset: 0 }]))[0]!.head.offset).toBe(top);
      }
    });

    test("is stored where all that is gone was older than its first try", async () => {
      const room = freshRoom();
      const few = { ...KEEP, messages: 3 };
      for (const value of range(1, 10)) await nodes.a.append(room, [draft(room, value)], few);
      // The margin for clocks is 1 s.
      await nodes.pass(1_150);
      const retry = { ...draft(room, "new"), sentAgoMs: 0 };
      expect(placed((await nodes.b.append(room, [retry], few))[0])).toMatchObject({
        duplicate: false,
        position: { offset: 11 },
      });
    });
  });
}
