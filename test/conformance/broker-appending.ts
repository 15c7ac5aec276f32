import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { placeOf } from "../../shared/packet.ts";
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

export function describeAppending(makeNodes: MakeNodes): void {
  let nodes: BrokerNodes;
  let earA: Ear;
  let earB: Ear;

  beforeAll(async () => {
    nodes = await makeNodes();
    earA = new Ear();
    earB = new Ear();
    await Promise.all([nodes.a.start(earA), nodes.b.start(earB)]);
  });

  afterAll(() => nodes.close());

  describe("appending", () => {
    test("counts 1, 2, 3 … in each room, whichever node appends", async () => {
      const [one, other] = [freshRoom(), freshRoom()];
      const first = await appendAll(nodes.a, one, ["x", "y"]);
      await appendAll(nodes.b, other, ["z"]);
      const second = await appendAll(nodes.b, one, ["z"]);
      expect(offsetsOf([...first, ...second].map(({ position }) => position))).toEqual([1, 2, 3]);
      const epochs = new Set([...first, ...second].map(({ position }) => position.epoch));
      expect(epochs.size).toBe(1);
      expect([...epochs][0]).toMatch(/^[A-Za-z0-9]{1,32}$/);
      const [theirs] = await nodes.a.check([{ room: other, offset: 0 }]);
      expect(theirs!.head.offset).toBe(1);
    });

    test("answers with the place that the packet carries", async () => {
      const room = freshRoom();
      await nodes.b.subscribe(room);
      const { position, time, duplicate } = placed((await nodes.a.append(room, [draft(room, 1)], KEEP))[0]);
      const [message] = await until(() => earB.of(room).length === 1 && earB.of(room));
      expect(placeOf(message!.packet)).toEqual({ ...position, time });
      expect({ ...message, packet: "" }).toEqual({ room, ...position, time, packet: "" });
      expect(duplicate).toBe(false);
    });

    test("gives one order to both nodes while both append", async () => {
      const batches = fc.array(fc.record({ fromA: fc.boolean(), size: fc.integer({ min: 1, max: 5 }) }), {
        minLength: 1,
        maxLength: 25,
      });
      const check = fc.asyncProperty(batches, async (plan) => {
        const room = freshRoom();
        await Promise.all([nodes.a.subscribe(room), nodes.b.subscribe(room)]);
        const calls = plan.map(({ fromA, size }, call) =>
          (fromA ? nodes.a : nodes.b).append(
            room,
            range(1, size).map((i) => draft(room, [call, i])),
            KEEP,
          ),
        );
        const results = await Promise.all(calls);
        const total = plan.reduce((sum, { size }) => sum + size, 0);
        await until(() => earA.of(room).length === total && earB.of(room).length === total);
        const { messages } = await nodes.b.read(room, { after: 0, limit: total + 1 });
        expect(offsetsOf(messages)).toEqual(range(1, total));
        expect(earA.of(room)).toEqual(messages);
        expect(earB.of(room)).toEqual(messages);
        // The messages of one call stay together.
        for (const result of results) {
          const own = offsetsOf(result.map((one) => placed(one).position));
          expect(own).toEqual(range(own[0]!, own[0]! + own.length - 1));
        }
        for (const ear of [earA, earB]) ear.forget();
      });
      await fc.assert(check, { numRuns: 20 });
    });

    test("keeps the order in which one node was asked", async () => {
      const room = freshRoom();
      const appended = await appendAll(nodes.a, room, range(1, 300));
      expect(offsetsOf(appended.map(({ position }) => position))).toEqual(range(1, 300));
      const { messages } = await nodes.b.read(room, { after: 0, limit: 300 });
      expect(messages.map(({ packet }) => (JSON.parse(packet) as unknown[])[1])).toEqual(range(1, 300));
    });

    test("lets the time never fall as the offset grows", async () => {
      const room = freshRoom();
      await appendAll(nodes.a, room, range(1, 20));
      await nodes.pass(3);
      await appendAll(nodes.b, room, range(1, 20));
      const times = (await nodes.a.read(room, { after: 0, limit: 40 })).messages.map(({ time }) => time);
      expect(times).toEqual(times.toSorted((x, y) => x - y));
    });

    test("of nothing gives nothing", async () => {
      await expect(nodes.a.append(freshRoom(), [], KEEP)).resolves.toEqual([]);
    });
  });

  describe("an id that was sent before", () => {
    test("gives the first place again, also on the other node, and no second message", async () => {
      const room = freshRoom();
      await Promise.all([nodes.a.subscribe(room), nodes.b.subscribe(room)]);
      const message = draft(room, "once", { id: "key", keyed: true });
      const first = placed((await nodes.a.append(room, [message], KEEP))[0]);
      await nodes.pass(3);
      const again = placed((await nodes.b.append(room, [message], KEEP))[0]);
      expect(again).toEqual({ ...first, duplicate: true });
      await appendAll(nodes.a, room, ["next"]);
      await until(() => [earA, earB].every((ear) => ear.of(room).some(({ offset }) => offset === 2)));
      expect([offsetsOf(earA.of(room)), offsetsOf(earB.of(room))]).toEqual([
        [1, 2],
        [1, 2],
      ]);
    });

    test("is refused with id_reused for other content", async () => {
      const room = freshRoom();
      await nodes.a.append(room, [draft(room, "one", { id: "key", keyed: true })], KEEP);
      const [other] = await nodes.b.append(room, [draft(room, "two", { id: "key", keyed: true })], KEEP);
      expect(other).toMatchObject({ ok: false, error: { code: "id_reused" } });
      expect((await nodes.a.check([{ room, offset: 0 }]))[0]!.head.offset).toBe(1);
    });

    test("is the same message whoever the sender is by then, and whatever its data look like", async () => {
      const room = freshRoom();
      const data = ['x,{"room":"', { a: [1, { room: "chat:x" }] }];
      const by = (user: string, value: unknown) =>
        draft(room, value, { id: "key", keyed: true, from: { user, name: ',{"room":"' } });
      await nodes.a.append(room, [by("guest:1", data)], KEEP);
      const [again] = await nodes.b.append(room, [by("guest:2", data)], KEEP);
      expect(placed(again)).toMatchObject({ duplicate: true, position: { offset: 1 } });
      const [other] = await nodes.b.append(
        room,
        [by("guest:1", [data[0], { a: [1, { room: "chat:y" }] }])],
        KEEP,
      );
      expect(other).toMatchObject({ ok: false, error: { code: "id_reused" } });
    });

    test("belongs to its room", async () => {
      const [one, other] = [freshRoom(), freshRoom()];
      await nodes.a.append(one, [draft(one, 1, { id: "key", keyed: true })], KEEP);
      const [there] = await nodes.a.append(other, [draft(other, 2, { id: "key", keyed: true })], KEEP);
      expect(placed(there)).toMatchObject({ duplicate: false, position: { offset: 1 } });
    });

    test("is one message if 64 send it at once", async () => {
      const room = freshRoom();
      const message = draft(room, "once", { id: "key", keyed: true });
      const calls = range(1, 64).map((i) => (i % 2 === 0 ? nodes.a : nodes.b).append(room, [message], KEEP));
      const results = (await Promise.all(calls)).flat().map(placed);
      expect(results.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      expect(new Set(results.map(({ position }) => position.offset))).toEqual(new Set([1]));
      expect((await nodes.b.read(room, { after: 0, limit: 10 })).messages).toHaveLength(1);
    });

    test("is not remembered if nobody can send it again", async () => {
      const room = freshRoom();
      const message = draft(room, "twice", { id: "plain" });
      await nodes.a.append(room, [message], KEEP);
      const second = placed((await nodes.a.append(room, [message], KEEP))[0]);
      expect(second).toMatchObject({ duplicate: false, position: { offset: 2 } });
    });

    test("is judged by itself in a batch", async () => {
      const room = freshRoom();
      const keyed = (id: string, data: unknown) => draft(room, data, { id, keyed: true });
      await nodes.a.append(room, [keyed("one", 1)], KEEP);
      const batch = [
        keyed("two", 2),
        keyed("one", 1),
        keyed("one", "other"),
        keyed("two", 2),
        keyed("three", 3),
      ];
      const results = await nodes.b.append(room, batch, KEEP);
      expect(results).toMatchObject([
        { ok: true, duplicate: false, position: { offset: 2, id: "two" } },
        { ok: true, duplicate: true, position: { offset: 1, id: "one" } },
        { ok: false, error: { code: "id_reused" } },
        { ok: true, duplicate: true, position: { offset: 2, id: "two" } },
        { ok: true, duplicate: false, position: { offset: 3, id: "three" } },
      ]);
    });
  });

  test("remembers ids for the window at least, and not for ever", async () => {
    const windowMs = 1_500;
    const short = await makeNodes({ idempotencyMs: windowMs });
    try {
      await Promise.all([short.a.start(new Ear()), short.b.start(new Ear())]);
      const room = freshRoom();
      const message = draft(room, "once", { id: "key", keyed: true });
      await appendAll(short.a, room, ["starts the window"]);
      await short.pass(windowMs - 100);
      const first = placed((await short.a.append(room, [message], KEEP))[0]);
      await short.pass(100);
      await appendAll(short.b, room, ["starts the next window"]);
      const again = placed((await short.b.append(room, [message], KEEP))[0]);
      expect(again).toEqual({ ...first, duplicate: true });
      await short.pass(2 * windowMs + 50);
      const later = placed((await short.b.append(room, [message], KEEP))[0]);
      expect(later).toMatchObject({ duplicate: false, position: { offset: 4 } });
    } finally {
      await short.close();
    }
  });
}
