import { describe, expect, test } from "@jest/globals";
import type { Invariant } from "./findings.ts";
import { Oracle } from "./oracle.ts";
import {
  at,
  gap,
  hashOf,
  invoke,
  join,
  joined,
  judge,
  loss,
  message,
  ok,
  published,
  readBack,
  ROOM,
} from "../../test/support/histories.ts";
import type { Observation, ReadBack } from "./observations.ts";

const live = [...published(4), join(), joined(at(0))];

describe("the oracle", () => {
  test.each<[string, readonly Observation[]]>([
    ["messages one after the other", [...live, message(1), message(2), message(3), message(4)]],
    [
      "a resume with its replay",
      [...published(4), join(at(2)), message(3), message(4), joined(at(4), { recovered: true })],
    ],
    [
      "what comes while a leave is under way",
      [...live, { kind: "leave", at: 5, client: "c", room: ROOM }, message(1)],
    ],
    [
      "an answer of which the outcome is unknown",
      [
        invoke("m1"),
        { ...ok(1), kind: "unknown", code: "x" } as Observation,
        invoke("m1"),
        ok(1, { duplicate: true }),
      ],
    ],
    [
      "a gap in a room that forgets",
      [
        join(at(2), "chat:short"),
        gap(3, 9, "trimmed", "chat:short"),
        joined(at(9), { recovered: false, reason: "trimmed", firstOffset: 10 }, "chat:short"),
      ],
    ],
    [
      "a resume from the newest message that is gone, after which none is missing",
      [
        join(at(2), "chat:short"),
        joined(at(2), { recovered: false, reason: "trimmed", firstOffset: 3 }, "chat:short"),
      ],
    ],
  ])("says nothing about %s", (_, history) => {
    expect(judge(history)).toEqual([]);
  });

  test.each<[string, readonly Observation[], readonly Invariant[]]>([
    ["a lost message", [...live, message(1), message(3)], ["I3", "I5"]],
    ["a double", [...live, message(1), message(1)], ["I4"]],
    ["two that changed places", [...live, message(1), message(3), message(2), message(4)], ["I5"]],
    ["another identity", [...live, message(1), message(2, { epoch: "e2" })], ["I13", "I8"]],
    ["another content", [...live, message(1, { hash: 1 })], ["I2"]],
    ["a message that nobody sent", [join(), joined(at(0)), message(1)], ["I2"]],
    [
      "a message that was refused",
      [
        invoke("m1"),
        { ...ok(1), kind: "fail", code: "too_large" } as Observation,
        join(),
        joined(at(0)),
        message(1),
      ],
      ["I2"],
    ],
    ["a message of another room", [invoke("m1", "chat:y"), join(), joined(at(0)), message(1)], ["I2"]],
    [
      "two messages in one place",
      [...live, invoke("other"), message(1, { id: "other", hash: hashOf("other") })],
      ["I1"],
    ],
    [
      "one id in two places",
      [...live, message(1), message(2), message(3, { id: "m1", hash: hashOf("m1") })],
      ["I1", "I7"],
    ],
    ["a second storing of an id", [...published(1), invoke("m1"), ok(1)], ["I7"]],
    ["acknowledged messages in the wrong order", [invoke("m2"), ok(2), invoke("m1"), ok(1)], ["I6"]],
    [
      "recovered in spite of a gap",
      [join(at(2)), gap(3, 4, "trimmed"), joined(at(4), { recovered: true })],
      ["I8"],
    ],
    [
      "a resume into another log",
      [...published(4), join(at(2)), joined({ epoch: "e2", offset: 0, id: "" }, { recovered: true })],
      ["I13", "I5", "I8"],
    ],
    [
      "a resume that is not recovered and tells no gap",
      [
        ...published(2),
        join(at(1)),
        message(2),
        joined(at(2), { recovered: false, reason: "trimmed", firstOffset: 1 }),
      ],
      ["I8"],
    ],
    [
      "gaps where there are none",
      [...published(2), join(at(1)), gap(1, 1, "rolled_back"), joined(at(1), { recovered: false })],
      ["I8"],
    ],
    [
      "a hole at the seam",
      [...published(4), join(at(2)), message(3), joined(at(4), { recovered: true })],
      ["I3", "I5", "I8"],
    ],
    [
      "a double at the seam",
      [...published(4), join(at(2)), message(3), joined(at(3), { recovered: true }), message(3)],
      ["I4"],
    ],
    [
      "a reply behind the replay",
      [...published(4), join(at(2)), message(3), joined(at(2), { recovered: true })],
      ["I5"],
    ],
    ["a message outside a membership", [...published(1), message(1)], ["M1"]],
    [
      "a message after a leave",
      [...live, message(1), { kind: "left", at: 5, client: "c", room: ROOM }, message(2)],
      ["M1"],
    ],
    [
      "a message after the connection has ended",
      [...live, { kind: "lost", at: 5, client: "c" }, message(1)],
      ["M1"],
    ],
  ])("notices %s", (_, history, expected) => {
    expect(judge(history)).toEqual(expected);
  });

  test.each<[string, ReadBack, readonly Invariant[]]>([
    ["the whole log", readBack(4), []],
    ["a log without an acknowledged message", readBack(3), ["I12"]],
    ["a hole", readBack(4, { messages: readBack(4).messages.filter(({ offset }) => offset !== 2) }), ["I12"]],
    [
      "another message",
      readBack(4, {
        messages: readBack(4).messages.map((one) => (one.offset === 2 ? { ...one, id: "x" } : one)),
      }),
      ["I1", "I12", "I2"],
    ],
    [
      "another content",
      readBack(4, {
        messages: readBack(4).messages.map((one) => (one.offset === 2 ? { ...one, hash: 1 } : one)),
      }),
      ["I2"],
    ],
    [
      "what a bounded room keeps",
      readBack(4, { firstOffset: 3, messages: readBack(4).messages.slice(2) }),
      [],
    ],
  ])("judges %s as it is read back", (_, log, expected) => {
    expect(judge(published(4), [log])).toEqual(expected);
  });

  test("notices two nodes that disagree about the head", () => {
    expect(judge(published(4), [readBack(4), readBack(5, { node: "node-1" })])).toContain("I12");
  });

  test("notices who is not at the top, and who is not there", () => {
    const oracle = new Oracle();
    [...live, message(1)].forEach((one) => oracle.observe(one));
    const heads = new Map([[ROOM, at(1)]]);
    expect(oracle.behind(heads, [{ client: "c", room: ROOM }])).toEqual([]);
    oracle.tooLate(heads, [{ client: "d", room: ROOM }], 10);
    oracle.tooLate(new Map([[ROOM, at(2)]]), [{ client: "c", room: ROOM }], 10);
    expect(oracle.findings.count("I9")).toBe(2);
  });
});

describe("after a store has lost its newest messages", () => {
  const lost = [...published(4), join(), joined(at(0)), message(1), message(2), message(3)];
  const regrown = [
    invoke("n3"),
    ok(3, { id: "n3", at: 9_000 }),
    invoke("n4"),
    ok(4, { id: "n4", at: 9_000 }),
  ];

  test("their offsets may be given again to others, if who had them is told", () => {
    const told = [
      { ...gap(1, 3, "rolled_back"), at: 8_500 },
      message(4, { id: "n4", hash: hashOf("n4"), at: 9_001 }),
    ];
    expect(judge([...lost, ...loss(6, 8_000), ...regrown, ...told])).toEqual([]);
  });

  test("it is noticed when who had them is not told", () => {
    const silent = [message(4, { id: "n4", hash: hashOf("n4"), at: 9_001 })];
    expect(judge([...lost, ...loss(6, 8_000), ...regrown, ...silent])).toEqual(["I8"]);
  });

  test("a new identity is expected, once", () => {
    const moved = [
      gap(1, 2, "rolled_back", ROOM, "e2"),
      message(3, { epoch: "e2", id: "n3", hash: hashOf("n3") }),
    ];
    expect(judge([...lost, ...loss(4, 5), invoke("n3"), ...moved])).toEqual([]);
    const again = [
      gap(1, 2, "rolled_back", ROOM, "e3"),
      message(3, { epoch: "e3", id: "n3", hash: hashOf("n3") }),
    ];
    expect(judge([...lost, ...loss(4, 5), invoke("n3"), ...moved, ...again])).toEqual(["I13"]);
  });

  test("acknowledged messages that are gone are counted, not called wrong", () => {
    const oracle = new Oracle();
    [...published(4), ...loss(1, 3)].forEach((one) => oracle.observe(one));
    oracle.readBack(readBack(2), 10);
    expect([oracle.findings.total, oracle.figures.acknowledgedLost]).toEqual([0, 2]);
  });
});
