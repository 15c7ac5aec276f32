import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { until } from "../support/wait.ts";
import { freshRoom } from "./broker-nodes.ts";
import type { MembersMark } from "../../server/hub/presence-store.ts";
import { ANY, type MakePresence, person, type PresenceNodes } from "./presence-nodes.ts";

export function describeCounting(makeNodes: MakePresence): void {
  let nodes: PresenceNodes;

  beforeAll(async () => {
    nodes = await makeNodes();
  });
  afterAll(() => nodes.close());

  describe("marks", () => {
    test("say where the members of many rooms stand, and nothing of a room where nobody has been", async () => {
      const { a, b } = nodes;
      const [one, two, none] = [freshRoom(), freshRoom(), freshRoom()];
      await a.store.touch(one, person("ana"), ANY);
      await a.store.touch(two, person("ana"), ANY);
      await b.store.touch(two, person("ben"), ANY);
      await b.store.remove(two, "ben");
      const marks = await b.store.marks([none, two, one]);
      expect(marks).toEqual([
        { life: "", version: 0, total: 0 },
        { life: expect.stringMatching(/./), version: 3, total: 1 },
        { life: expect.stringMatching(/./), version: 1, total: 1 },
      ]);
      expect((await a.store.list(two)).mark).toEqual(marks[1]);
      expect(await a.store.list(none)).toEqual({ mark: marks[0], members: [] });
      expect(await a.store.marks([])).toEqual([]);
    });

    test("go on in a room that everybody has left", async () => {
      const { a, b } = nodes;
      const room = freshRoom();
      await a.store.touch(room, person("ana"), ANY);
      const [mark] = (await b.store.marks([room])) as MembersMark[];
      const { life } = mark!;
      await a.store.remove(room, "ana");
      expect(await b.store.list(room)).toEqual({ mark: { life, version: 2, total: 0 }, members: [] });
      await b.store.touch(room, person("ben"), ANY);
      expect(await a.store.marks([room])).toEqual([{ life, version: 3, total: 1 }]);
    });
  });

  describe("counts", () => {
    test("add up the connections of all nodes, and members once", async () => {
      const { a, b } = nodes;
      const [one, two] = [freshRoom(), freshRoom()];
      await a.store.touch(one, person("ana"), ANY);
      await b.store.touch(one, person("ana"), ANY);
      a.store.setConnections(one, 2);
      b.store.setConnections(one, 5);
      b.store.setConnections(two, 1);
      const expected = [
        { connections: 7, members: 1 },
        { connections: 1, members: 0 },
      ];
      for (const { store } of [a, b])
        await until(async () => {
          expect(await store.counts([one, two])).toEqual(expected);
          return true;
        });
      a.store.setConnections(one, 0);
      await until(async () => (await b.store.counts([one]))[0]!.connections === 5);
      expect(await a.store.counts([])).toEqual([]);
    });

    test("follow for thousands of rooms at once", async () => {
      const { a, b } = nodes;
      const rooms = Array.from({ length: 2_500 }, () => freshRoom());
      rooms.forEach((room, i) => a.store.setConnections(room, i + 1));
      await until(async () => {
        const counts = await b.store.counts(rooms);
        return counts.every(({ connections }, i) => connections === i + 1);
      });
      rooms.forEach((room) => a.store.setConnections(room, 0));
      await until(async () => (await b.store.counts(rooms)).every(({ connections }) => connections === 0));
    });
  });
}
