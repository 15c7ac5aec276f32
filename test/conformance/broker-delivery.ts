import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { RoomName } from "../../shared/room-name.ts";
import type { EphemeralDraft } from "../../server/hub/broker.ts";
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

/** Looks like the end of a packet, and is somebody's text. */
const FALSE_TAIL = '"id":"x","epoch":"e","offset":9,"time":9}]';

const NASTY: readonly (readonly [name: string, data: unknown])[] = [
  ["nothing", null],
  ["an empty text", ""],
  ["an empty list", []],
  ["newlines", "a\nb\r\nc\u0000\u001b"],
  ["line separators", "a\u2028b\u2029c"],
  ["quotes and backslashes", `"\\"'\\\\"\\u0022`],
  ["lone surrogates", "\ud800 \udc00 \ud83d"],
  ["characters of four bytes", "𝔘😀".repeat(100)],
  ["__proto__", JSON.parse('{"__proto__":{"x":1},"constructor":{"prototype":null}}')],
  ["a false end", FALSE_TAIL],
  ["a false end within the wire", `${FALSE_TAIL}}}}`],
  ["percent and format signs", "%s %.0f %% %1"],
  ["numbers at the edges", [1e308, -0, 5e-324, 2 ** 53, 0.1]],
  ["64 KiB", "x".repeat(65_534)],
];

export function describeDelivery(makeNodes: MakeNodes): void {
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

  afterEach(() => {
    for (const ear of [earA, earB]) ear.forget();
  });

  /** Waits until node b has received everything that was sent before this call. */
  async function drainB(): Promise<void> {
    const marker = freshRoom("marker");
    await nodes.b.subscribe(marker);
    await appendAll(nodes.a, marker, ["marker"]);
    await until(() => earB.of(marker).length === 1);
  }

  describe("delivery", () => {
    test.each(NASTY)("brings %s unchanged, the same live and from the log", async (_name, data) => {
      const room = freshRoom("stream");
      await Promise.all([nodes.a.subscribe(room), nodes.b.subscribe(room)]);
      const from = { user: `guest:"\\${FALSE_TAIL}`, name: "\u2028ana\ud800" };
      await nodes.a.append(room, [draft(room, data, { from }), draft(room, data)], KEEP);
      await until(() => earA.of(room).length === 2 && earB.of(room).length === 2);
      const { messages } = await nodes.b.read(room, { after: 0, limit: 10 });
      expect(earA.of(room)).toEqual(messages);
      expect(earB.of(room)).toEqual(messages);
      const [event, sent, meta] = JSON.parse(messages[0]!.packet) as [string, unknown, object];
      expect(event).toBe("log");
      expect(JSON.stringify(sent)).toBe(JSON.stringify(data));
      const { epoch, offset, id, time } = messages[0]!;
      expect(meta).toEqual({ room, from, id, epoch, offset, time });
    });

    test("brings any JSON unchanged", async () => {
      const room = freshRoom();
      await nodes.b.subscribe(room);
      const odd = fc.string({
        unit: fc.constantFrom('"', "\\", "\n", "\u0000", "\u2028", "é", "😀", "\ud800", "\udc00", "}]"),
      });
      const check = fc.asyncProperty(fc.tuple(fc.jsonValue(), odd), async (data) => {
        const message = draft(room, data);
        const { position, time } = placed((await nodes.a.append(room, [message], KEEP))[0]);
        const live = await until(() => earB.of(room).find(({ offset }) => offset === position.offset));
        const { messages } = await nodes.a.read(room, { after: position.offset - 1, limit: 1 });
        expect(messages).toEqual([live]);
        expect(live).toMatchObject({ ...position, time });
        expect(live.packet.startsWith(message.head)).toBe(true);
      });
      await fc.assert(check, { numRuns: 60 });
    });

    test("begins with the append after subscribe has resolved", async () => {
      for (const room of range(1, 60).map(() => freshRoom())) {
        await nodes.b.subscribe(room);
        await nodes.a.append(room, [draft(room, "now")], KEEP);
        await until(() => earB.of(room).length === 1);
      }
    });

    test("goes to nodes that hold the room and to no other", async () => {
      const room = freshRoom();
      await nodes.a.subscribe(room);
      await appendAll(nodes.b, room, [1]);
      await until(() => earA.of(room).length === 1);
      await drainB();
      expect(earB.of(room)).toEqual([]);
    });

    test("ends with unsubscribe, and begins again with the next subscribe", async () => {
      const room = freshRoom();
      await nodes.b.subscribe(room);
      await appendAll(nodes.a, room, [1]);
      await until(() => earB.of(room).length === 1);
      await nodes.b.unsubscribe(room);
      await appendAll(nodes.a, room, [2]);
      await nodes.a.broadcast(room, ephemeral(room, "gone"));
      await drainB();
      await nodes.b.subscribe(room);
      await appendAll(nodes.a, room, [3]);
      await until(() => earB.of(room).some(({ offset }) => offset === 3));
      expect(offsetsOf(earB.of(room))).toEqual([1, 3]);
      expect(earB.ephemerals).toEqual([]);
    });

    test("comes once, however often the room was subscribed", async () => {
      const room = freshRoom();
      await Promise.all(range(1, 5).map(() => nodes.b.subscribe(room)));
      await appendAll(nodes.a, room, [1]);
      await drainB();
      expect(earB.of(room)).toHaveLength(1);
      await nodes.b.unsubscribe(room);
      await nodes.b.unsubscribe(room);
      await appendAll(nodes.a, room, [2]);
      await drainB();
      expect(earB.of(room)).toHaveLength(1);
    });

    test("survives a handler that throws, and loses nothing of what came with it", async () => {
      const room = freshRoom();
      await Promise.all([nodes.a.subscribe(room), nodes.b.subscribe(room)]);
      const told: number[] = [];
      earA.onMessage = ({ offset }) => {
        told.push(offset);
        throw new Error("a handler's mistake");
      };
      earA.onEphemeral = () => {
        throw new Error("another");
      };
      await nodes.a.broadcast(room, ephemeral(room, 0));
      const batch = range(1, 50).map((value) => draft(room, value));
      await nodes.b.append(room, batch, KEEP);
      await until(() => told.length === 50 && earB.of(room).length === 50);
      expect(told).toEqual(range(1, 50));
      delete (earA as Partial<Ear>).onMessage;
      delete (earA as Partial<Ear>).onEphemeral;
      await appendAll(nodes.b, room, ["next"]);
      await until(() => earA.of(room).some(({ offset }) => offset === 51));
    });
  });

  describe("an ephemeral message", () => {
    test("reaches both nodes, with the connection that it leaves out", async () => {
      const room = freshRoom();
      await Promise.all([nodes.a.subscribe(room), nodes.b.subscribe(room)]);
      await nodes.a.broadcast(room, ephemeral(room, "typing", "8YvXq_-socketid00001"));
      await nodes.b.broadcast(room, ephemeral(room, ["cursor", 1]));
      await until(() => earA.ephemerals.length === 2 && earB.ephemerals.length === 2);
      expect(earA.ephemerals).toEqual(earB.ephemerals);
      const [first, second] = earB.ephemerals;
      expect(first).toMatchObject({ room, except: "8YvXq_-socketid00001" });
      expect(second).not.toHaveProperty("except");
      const [event, data, meta] = JSON.parse(first!.packet) as [string, unknown, { time: number }];
      expect([event, data]).toEqual(["log", "typing"]);
      expect(meta).toEqual({ room, id: "typing-1", ephemeral: true, time: expect.any(Number) });
    });

    test.each(NASTY)("brings %s unchanged", async (_name, data) => {
      const room = freshRoom();
      await nodes.b.subscribe(room);
      await nodes.a.broadcast(room, ephemeral(room, data));
      await nodes.a.broadcast(room, ephemeral(room, data, "someone"));
      await until(() => earB.ephemerals.length === 2);
      for (const { packet } of earB.ephemerals) {
        expect(JSON.stringify((JSON.parse(packet) as unknown[])[1])).toBe(JSON.stringify(data));
      }
      expect(earB.messages).toEqual([]);
    });

    test("takes no offset and is not kept", async () => {
      const room = freshRoom();
      await nodes.a.broadcast(room, ephemeral(room, 1));
      await appendAll(nodes.a, room, ["kept"]);
      await nodes.a.broadcast(room, ephemeral(room, 2));
      const { messages, head } = await nodes.b.read(room, { after: 0, limit: 10 });
      expect(offsetsOf(messages)).toEqual([1]);
      expect(head.offset).toBe(1);
    });
  });
}

function ephemeral(room: RoomName, data: unknown, except?: string): EphemeralDraft {
  const { head } = draft(room, data);
  return except === undefined ? { id: "typing-1", head } : { id: "typing-1", head, except };
}
