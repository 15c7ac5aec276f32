import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { recover } from "./recovery.ts";

const log = (head: number, firstOffset: number, idAt?: string, epoch = "e1") => ({
  head: { epoch, offset: head, id: head === 0 ? "" : `m${head}` },
  firstOffset,
  idAt,
});
const at = (offset: number, id = offset === 0 ? "" : `m${offset}`, epoch = "e1") => ({ epoch, offset, id });

describe("recover", () => {
  it("goes on after a position whose message is still there under its id", () => {
    expect(recover(at(5), log(9, 1, "m5"))).toEqual({ recovered: true, start: 5 });
  });

  it("goes on at the head, even where nothing is kept", () => {
    expect(recover(at(9), log(9, 10))).toEqual({ recovered: true, start: 9 });
    expect(recover(at(0), log(0, 1))).toEqual({ recovered: true, start: 0 });
  });

  it("proves a resume from before the first message by the first one that is kept", () => {
    expect(recover(at(0), log(9, 1))).toEqual({ recovered: true, start: 0 });
    expect(recover(at(0), log(9, 4))).toEqual({ recovered: false, reason: "trimmed", start: 3 });
  });

  it("says trimmed when the message at the position is gone, also when only that one is", () => {
    expect(recover(at(2), log(9, 5))).toEqual({ recovered: false, reason: "trimmed", start: 4 });
    expect(recover(at(4), log(9, 5))).toEqual({ recovered: false, reason: "trimmed", start: 4 });
  });

  it("says rolled_back when another message stands at the position, or the head is behind it", () => {
    expect(recover(at(5), log(9, 1, "other"))).toEqual({ recovered: false, reason: "rolled_back", start: 0 });
    expect(recover(at(9, "other"), log(9, 1, "m9"))).toEqual({
      recovered: false,
      reason: "rolled_back",
      start: 0,
    });
    expect(recover(at(12), log(9, 1))).toEqual({ recovered: false, reason: "rolled_back", start: 0 });
  });

  it("says epoch_changed when it is another log, whatever else agrees", () => {
    expect(recover(at(5, "m5", "e0"), log(9, 1, "m5"))).toEqual({
      recovered: false,
      reason: "epoch_changed",
      start: 0,
    });
  });

  it("never says recovered unless the same message stands at the position or it is a proven start", () => {
    const position = fc.record({
      epoch: fc.constantFrom("e1", "e2"),
      offset: fc.nat(12),
      same: fc.boolean(),
    });
    const ends = fc.record({ head: fc.nat(12), kept: fc.nat(12) });
    fc.assert(
      fc.property(position, ends, ({ epoch, offset, same }, { head, kept }) => {
        const firstOffset = Math.max(1, head + 1 - kept);
        const held = offset >= firstOffset && offset <= head;
        const idAt = held || (offset === head && head > 0) ? `m${offset}` : undefined;
        const since = at(offset, offset === 0 ? "" : same ? `m${offset}` : "other", epoch);
        const verdict = recover(since, log(head, firstOffset, idAt));
        const proven =
          epoch === "e1" &&
          offset <= head &&
          (offset === 0 ? head === 0 || firstOffset === 1 : same && idAt !== undefined);
        expect(verdict.recovered).toBe(proven);
        expect(verdict.start).toBe(verdict.recovered ? offset : firstOffset - 1);
      }),
    );
  });
});
