import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { RespPushes } from "./resp-pushes.ts";

const blob = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const push = (...parts: string[]): string => `>${parts.length}\r\n${parts.map(blob).join("")}`;

const message = push("smessage", "channel", "text with \r\n>3\r\n in it, and ü");
const answers = [
  "+OK\r\n",
  ":42\r\n",
  "-ERR no\r\n",
  "_\r\n",
  "#t\r\n",
  ",1.5\r\n",
  "$-1\r\n",
  "*-1\r\n",
  "*0\r\n",
  blob(""),
  blob("smessage"),
  `*2\r\n${blob("a")}*2\r\n:1\r\n%1\r\n+k\r\n${blob("v")}`,
  `|1\r\n+ttl\r\n:3\r\n${blob("with an attribute")}`,
  "=15\r\ntxt:Some string\r\n",
  push("ssubscribe", "channel", "1"),
];

function take(pieces: readonly Buffer[]): { bytes: string; isMessage: boolean }[] {
  const values = new RespPushes();
  return pieces.flatMap((piece) =>
    [...values.take(piece)].map(({ bytes, isMessage }) => ({ bytes: bytes.toString(), isMessage })),
  );
}

describe("the stream of a Redis connection", () => {
  test("is cut into whole values, and only messages of subscriptions are told apart, wherever it is split", () => {
    const values = fc.array(
      fc.constantFrom(message, push("pmessage", "p*", "c", "x"), push("message", "c", "x"), ...answers),
    );
    fc.assert(
      fc.property(values, fc.array(fc.nat(), { maxLength: 20 }), (drawn, cuts) => {
        const stream = Buffer.from(drawn.join(""));
        const places = cuts.map((cut) => cut % (stream.length + 1)).toSorted((a, b) => a - b);
        const pieces = [0, ...places].map((from, i) => stream.subarray(from, places[i] ?? stream.length));
        const expected = drawn.map((bytes) => ({ bytes, isMessage: !answers.includes(bytes) }));
        expect(take(pieces)).toEqual(expected);
      }),
    );
  });
});
