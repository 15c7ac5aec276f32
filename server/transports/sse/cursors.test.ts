import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { formatCursor, type Position } from "../../../shared/position.ts";
import { parseRoomAlias, parseRoomName, type RoomName } from "../../../shared/room-name.ts";
import { Cursors, parseCursors } from "./cursors.ts";

const [A, B] = [parseRoomName("chat:é/a@b~+=:c"), parseRoomName("stream:b")];
const alias = (name: string): RoomName => parseRoomAlias(name);
const position = fc.record({
  epoch: fc.stringMatching(/^[A-Za-z0-9]{1,32}$/),
  offset: fc.integer({ min: 1 }),
  id: fc.stringMatching(/^[A-Za-z0-9_.:-]{1,64}$/),
});

function written(positions: ReadonlyMap<RoomName, Position>): string {
  const cursors = new Cursors(positions.size);
  positions.forEach((one, room) => cursors.set(room, formatCursor(one)));
  return cursors.text!;
}

describe("a stream's cursor", () => {
  it("of several rooms comes out as it went in", () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        const positions = new Map([
          [A, a],
          [B, b],
        ]);
        const text = written(positions);
        expect(text).toMatch(/^[^,=]+=[^,=]+,[^,=]+=[^,=]+$/);
        expect(parseCursors(text, [A, B], alias)).toEqual(positions);
      }),
    );
  });

  it("of one room is that room's, and may name it all the same", () => {
    const at = { epoch: "e", offset: 3, id: "m:3" };
    expect(written(new Map([[A, at]]))).toBe("e.3.m:3");
    expect(parseCursors("e.3.m:3", [B], alias)).toEqual(new Map([[B, at]]));
    expect(parseCursors("b=e.3.m%3A3", [B], alias)).toEqual(new Map([[B, at]]));
    expect(parseCursors("stream%3Ab=e.3.m%3A3", [B], alias)).toEqual(new Map([[B, at]]));
  });

  it("leaves out rooms that are not asked for, and those that are not in it", () => {
    expect(parseCursors("stream%3Aother=e.3.x,stream%3Ab=e.3.x", [A, B], alias)).toEqual(
      new Map([[B, { epoch: "e", offset: 3, id: "x" }]]),
    );
  });

  it("tells nothing before it knows anything", () => {
    expect(new Cursors(1).text).toBeUndefined();
  });

  it.each(["room-1:7,user-3:2", "e.3", "=", ",", "b=", "b=e.3.x=", "b=e.3.%", "%=e.3.x", "a b=e.3.x"])(
    "is refused as %s",
    (text) => {
      expect(() => parseCursors(text, [B], alias)).toThrow(expect.objectContaining({ retryable: false }));
    },
  );

  it("of one room is refused for several", () => {
    expect(() => parseCursors("e.3.x", [A, B], alias)).toThrow("room=cursor");
  });
});
