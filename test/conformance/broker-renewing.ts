import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
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

export function describeRenewing(makeNodes: MakeNodes): void {
  let nodes: BrokerNodes;
  let earB: Ear;

  beforeAll(async () => {
    nodes = await makeNodes();
    earB = new Ear();
    await Promise.all([nodes.a.start(new Ear()), nodes.b.start(earB)]);
  });

  afterAll(() => nodes.close());

  describe("renewing the epoch", () => {
    test("lets the log go on under another one, with all that is kept", async () => {
      const room = freshRoom();
      await nodes.b.subscribe(room);
      const before = await appendAll(nodes.a, room, range(1, 5));
      const { epoch } = before[0]!.position;
      const ends = await nodes.b.renewEpoch(room, epoch);
      expect(ends.head).toEqual({ ...before.at(-1)!.position, epoch: ends.head.epoch });
      expect(ends.head.epoch).toMatch(/^[A-Za-z0-9]{1,32}$/);
      expect(ends.head.epoch).not.toBe(epoch);
      expect(ends.firstOffset).toBe(1);
      const { messages, head } = await nodes.a.read(room, { after: 0, limit: 9 });
      expect(head).toEqual(ends.head);
      expect(messages.map(({ packet }) => placeOf(packet))).toEqual(
        before.map(({ position, time }) => ({ ...position, epoch: head.epoch, time })),
      );
      expect(messages.every((message) => message.epoch === head.epoch)).toBe(true);
      const [next] = await appendAll(nodes.a, room, [6]);
      expect(next!.position).toMatchObject({ epoch: head.epoch, offset: 6 });
      const live = await until(() => earB.of(room).find(({ offset }) => offset === 6));
      expect(live.epoch).toBe(head.epoch);
    });

    test("happens once if many ask at once, and never to a log that has another epoch", async () => {
      const room = freshRoom();
      const [first] = await appendAll(nodes.a, room, [1]);
      const { epoch } = first!.position;
      const calls = range(1, 16).map((i) => (i % 2 === 0 ? nodes.a : nodes.b).renewEpoch(room, epoch));
      const epochs = new Set((await Promise.all(calls)).map(({ head }) => head.epoch));
      expect(epochs.size).toBe(1);
      expect(epochs.has(epoch)).toBe(false);
      const again = await nodes.a.renewEpoch(room, epoch);
      expect(again.head.epoch).toBe([...epochs][0]);
      expect((await nodes.b.check([{ room, offset: 0 }]))[0]!.head).toEqual(again.head);
    });

    test("keeps ids, which then answer with the place as it is now", async () => {
      const room = freshRoom();
      const message = draft(room, "once", { id: "key", keyed: true });
      const first = placed((await nodes.a.append(room, [message], KEEP))[0]);
      await appendAll(nodes.a, room, [2]);
      const { head } = await nodes.b.renewEpoch(room, first.position.epoch);
      const again = placed((await nodes.b.append(room, [message], KEEP))[0]);
      expect(again).toEqual({
        ...first,
        position: { ...first.position, epoch: head.epoch },
        duplicate: true,
      });
      const [check] = await nodes.a.check([{ room, offset: again.position.offset }]);
      expect(check).toMatchObject({ head: { epoch: again.position.epoch }, idAt: "key" });
    });

    test("of a room that keeps nothing, or never was, gives its ends", async () => {
      const [empty, none] = [freshRoom(), freshRoom()];
      await nodes.a.append(none, [draft(none, 1, { id: "x" })], { ...KEEP, messages: 0 });
      const { head } = (await nodes.a.check([{ room: none, offset: 0 }]))[0]!;
      const renewed = await nodes.b.renewEpoch(none, head.epoch);
      expect(renewed).toMatchObject({ head: { offset: 1, id: "x" }, firstOffset: 2 });
      expect(renewed.head.epoch).not.toBe(head.epoch);
      const made = await nodes.b.renewEpoch(empty, "gone");
      expect(made).toMatchObject({ head: { offset: 0, id: "" }, firstOffset: 1 });
      expect(offsetsOf((await nodes.a.read(empty, { after: 0, limit: 1 })).messages)).toEqual([]);
      expect((await nodes.a.check([{ room: empty, offset: 0 }]))[0]!.head).toEqual(made.head);
    });
  });
}
