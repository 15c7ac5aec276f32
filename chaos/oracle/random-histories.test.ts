import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Position } from "../../shared/position.ts";
import {
  at,
  invoke,
  join,
  joined,
  judge,
  message,
  ok,
  readBack,
  ROOM,
} from "../../test/support/histories.ts";
import type { Observation } from "./observations.ts";

/** A hub without faults, as publishers and clients see it: what is drawn decides who does what, and in what order. */
function cleanHistory(steps: readonly (readonly [string, number])[]): Observation[] {
  const history: Observation[] = [];
  const clients = ["a", "b", "c"].map((client) => ({
    client,
    live: false,
    last: undefined as Position | undefined,
  }));
  let head = 0;
  const deliver = (client: string, offset: number): void =>
    void history.push({ ...message(offset), client } as Observation);
  for (const [what, who] of steps) {
    const one = clients[who % clients.length]!;
    const { client, last } = one;
    if (what === "publish") {
      head += 1;
      history.push(invoke(`m${head}`));
      // An acknowledgement comes before the own copy of the message or after it.
      if (who % 2 === 0) history.push(ok(head));
      for (const member of clients.filter(({ live: isLive }) => isLive)) {
        deliver(member.client, head);
        member.last = at(head);
      }
      if (who % 2 === 1) history.push(ok(head));
    } else if (what === "join" && !one.live) {
      history.push({ ...join(last), client } as Observation);
      for (let offset = (last?.offset ?? head) + 1; offset <= head; offset += 1) deliver(client, offset);
      history.push({
        ...joined(at(head), last === undefined ? {} : { recovered: true }),
        client,
      } as Observation);
      Object.assign(one, { live: true, last: at(head) });
    } else if (one.live) {
      history.push(
        what === "leave" ? { kind: "left", at: 5, client, room: ROOM } : { kind: "lost", at: 5, client },
      );
      one.live = false;
    }
  }
  return history;
}

const steps = fc.array(
  fc.tuple(
    fc.oneof(
      { weight: 5, arbitrary: fc.constant("publish") },
      { weight: 2, arbitrary: fc.constant("join") },
      { weight: 1, arbitrary: fc.constantFrom("leave", "lose") },
    ),
    fc.nat(5),
  ),
  { maxLength: 80 },
);

describe("over random histories", () => {
  test("the oracle says nothing where nothing is wrong", () => {
    fc.assert(
      fc.property(steps, (drawn) => {
        const history = cleanHistory(drawn);
        const head = history.filter(({ kind }) => kind === "invoke").length;
        expect(judge(history, [readBack(head)])).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test("the oracle notices any live message that is left out, doubled, swapped with the next or changed", () => {
    fc.assert(
      fc.property(
        steps,
        fc.nat(),
        fc.constantFrom("drop", "double", "swap", "change"),
        (drawn, pick, bug) => {
          const history = cleanHistory(drawn);
          // Those that the same client got one directly after the other, with no join in between.
          const pairs = history.flatMap((one, i) => {
            if (one.kind !== "message") return [];
            const next = history.findIndex(
              (other, j) => j > i && "client" in other && other.client === one.client,
            );
            return history[next]?.kind === "message" ? [[i, next] as const] : [];
          });
          fc.pre(pairs.length > 0);
          const [first, second] = pairs[pick % pairs.length]!;
          const wrong = [...history];
          const [one, other] = [history[first]!, history[second]!];
          if (bug === "drop") wrong.splice(first, 1);
          else if (bug === "double") wrong.splice(first, 0, one);
          else if (bug === "swap") [wrong[first], wrong[second]] = [other, one];
          else wrong[first] = { ...one, hash: 1 } as Observation;
          expect(judge(wrong)).not.toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
