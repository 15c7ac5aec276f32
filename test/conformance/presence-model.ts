import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { freshRoom } from "./broker-nodes.ts";
import {
  ANY,
  applied,
  heard,
  type MakePresence,
  person,
  type PresenceNodes,
  UNIQUE,
  usersOf,
} from "./presence-nodes.ts";

const step = fc.record({
  at: fc.constantFrom("a" as const, "b" as const),
  act: fc.constantFrom("touch" as const, "touch" as const, "linger" as const, "remove" as const),
  user: fc.constantFrom("1", "2", "3", "4"),
  name: fc.constantFrom("Ana", "ANA", "Ben"),
  /** The call is awaited before the next one. */
  alone: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Who is there, by the nodes that hold them. */
function model(steps: readonly Step[]): string[] {
  const held = new Map<string, Set<string>>();
  for (const { at, act, user } of steps) {
    const nodes = held.get(user) ?? held.set(user, new Set()).get(user)!;
    if (act === "touch") nodes.add(at);
    if (act === "remove") nodes.delete(at);
  }
  return [...held].filter(([, nodes]) => nodes.size > 0).map(([user]) => user);
}

export function describeMembersModel(makeNodes: MakePresence): void {
  let nodes: PresenceNodes;

  beforeAll(async () => {
    nodes = await makeNodes();
  });
  afterAll(() => nodes.close());

  /** Runs the steps and gives the room with all that both nodes were told and read. */
  async function run(steps: readonly Step[], unique: boolean) {
    const room = freshRoom();
    await Promise.all([nodes.a.hold(room), nodes.b.hold(room)]);
    const calls: Promise<unknown>[] = [];
    for (const { at, act, user, name, alone } of steps) {
      const { store } = nodes[at];
      const call =
        act === "touch"
          ? store.touch(room, person(user, name), unique ? UNIQUE : ANY)
          : store[act](room, user);
      calls.push(call.catch(() => undefined));
      if (alone && !unique) await call;
    }
    await Promise.all(calls);
    const changes = await heard(nodes.a, room);
    expect(await heard(nodes.b, room)).toEqual(changes);
    const list = await nodes.b.store.list(room);
    return { changes, list };
  }

  describe("after any steps of two nodes", () => {
    test.each([false, true])(
      "the list is what the changes add up to (unique names: %s)",
      async (unique) => {
        const property = fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          const { changes, list } = await run(steps, unique);
          expect(changes.map(({ version }) => version)).toEqual(changes.map((_, i) => i + 1));
          const members = applied(changes);
          expect(new Map(list.members.map((member) => [member.user, member]))).toEqual(members);
          expect(list.mark.total).toBe(members.size);
          for (let i = 1; i <= changes.length; i += 1)
            expect(applied(changes.slice(0, i)).size).toBe(changes[i - 1]!.total);
          if (!unique) expect(usersOf(list.members)).toEqual(model(steps).toSorted());
        });
        await fc.assert(property, { numRuns: unique ? 5 : 50 });
      },
      60_000,
    );
  });
}
