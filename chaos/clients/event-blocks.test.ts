import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { EventBlocks, type EventBlock } from "./event-blocks.ts";

const STREAM = [
  ":      \n\n",
  "event: stream-open\nid: e.1.é\ndata: \n\n",
  "retry: 1742\n\n",
  "event: log\nid: e.2.m-2\ndata: {\ndata: }\n\n",
  "id: e.3.m-3\n\n",
  "data:x\u2028\n\n",
].join("");

const BLOCKS: EventBlock[] = [
  { event: "message", id: undefined, data: undefined },
  { event: "stream-open", id: "e.1.é", data: "" },
  { event: "message", id: undefined, data: undefined },
  { event: "log", id: "e.2.m-2", data: "{\n}" },
  { event: "message", id: "e.3.m-3", data: undefined },
  { event: "message", id: undefined, data: "x\u2028" },
];

describe("a stream of events", () => {
  it("has the same blocks, wherever the network cuts it", () => {
    const bytes = Buffer.from(STREAM);
    const cut = fc.integer({ min: 0, max: bytes.length });
    fc.assert(
      fc.property(cut, cut, (one, other) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const pieces = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)];
        const blocks = new EventBlocks();
        expect(pieces.flatMap((piece) => blocks.take(piece))).toEqual(BLOCKS);
      }),
    );
  });

  it("has no block that was cut off", () => {
    const [whole, ...more] = new EventBlocks().take(
      Buffer.from("data: 1\n\nevent: log\nid: e.2.m\ndata: 2\n"),
    );
    expect([whole?.data, more]).toEqual(["1", []]);
  });
});
