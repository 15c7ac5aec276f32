import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Member } from "../../shared/presence.ts";
import { newsOf, type MemberStep } from "./member-steps.ts";

function member(user: string, name = user): Member {
  return { user, name, joinedAt: 1 };
}

/** Any way in which members come, change and go, from whoever was there. */
const course = fc
  .record({
    before: fc.uniqueArray(fc.constantFrom<string>("a", "b", "c", "d")),
    moves: fc.array(
      fc.tuple(fc.constantFrom<string>("a", "b", "c", "d"), fc.constantFrom("x", "y", undefined)),
    ),
  })
  .map(({ before, moves }) => {
    const there = new Map(before.map((user) => [user, member(user)]));
    const start = new Map(there);
    const steps: MemberStep[] = [];
    for (const [user, name] of moves) {
      const now = name === undefined ? undefined : member(user, name);
      steps.push({ user, before: there.get(user), now });
      if (now === undefined) there.delete(user);
      else there.set(user, now);
    }
    return { start, steps, end: there };
  });

describe("the news of some steps", () => {
  test("lead from the members before them to those after them", () => {
    fc.assert(
      fc.property(course, ({ start, steps, end }) => {
        const known = new Map(start);
        const { joined, left } = newsOf(steps);
        left.forEach(({ user }) => known.delete(user));
        joined.forEach((one) => known.set(one.user, one));
        expect(known).toEqual(end);
      }),
    );
  });

  test("name nobody who is as before, and nobody twice", () => {
    fc.assert(
      fc.property(course, ({ start, steps, end }) => {
        const { joined, left } = newsOf(steps);
        for (const one of joined) expect(start.get(one.user)).not.toEqual(one);
        for (const one of left) expect([start.has(one.user), end.has(one.user)]).toEqual([true, false]);
        const users = [...joined, ...left].map(({ user }) => user);
        expect(new Set(users).size).toBe(users.length);
      }),
    );
  });
});
