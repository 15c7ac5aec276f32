import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { RoomName } from "../../shared/room-name.ts";
import { freshRoom } from "./broker-nodes.ts";
import {
  ANY,
  heard,
  lines,
  type MakePresence,
  person,
  type PresenceNodes,
  UNIQUE,
} from "./presence-nodes.ts";

const taken = { code: "name_taken" };

export function describeNaming(makeNodes: MakePresence): void {
  let nodes: PresenceNodes;
  let room: RoomName;

  beforeAll(async () => {
    nodes = await makeNodes();
  });
  beforeEach(async () => {
    room = freshRoom();
    await Promise.all([nodes.a.hold(room), nodes.b.hold(room)]);
  });
  afterAll(() => nodes.close());

  describe("a unique name", () => {
    test.each(["Ana", "ANA", "\uff21na"])("is refused to another user who writes it %s", async (name) => {
      const { a, b } = nodes;
      await a.store.touch(room, person("1", "Ana"), UNIQUE);
      await expect(b.store.touch(room, person("2", name), UNIQUE)).rejects.toMatchObject(taken);
      expect(lines(await heard(a, room))).toEqual(["1/1 +1"]);
    });

    test("stays with its user, who may come again and write it in another way", async () => {
      const { a, b } = nodes;
      await a.store.touch(room, person("1", "Ana"), UNIQUE);
      await b.store.touch(room, person("1", "ANA"), UNIQUE);
      await a.store.remove(room, "1");
      await expect(a.store.touch(room, person("2", "ana"), UNIQUE)).rejects.toMatchObject(taken);
      await b.store.remove(room, "1");
      await a.store.touch(room, person("2", "ana"), UNIQUE);
    });

    test("is free as soon as its user lingers on every node, and is then refused to that user", async () => {
      const { a, b } = nodes;
      await a.store.touch(room, person("1", "Ana"), UNIQUE);
      await b.store.touch(room, person("1", "Ana"), UNIQUE);
      await a.store.linger(room, "1");
      await expect(b.store.touch(room, person("2", "Ana"), UNIQUE)).rejects.toMatchObject(taken);
      await b.store.linger(room, "1");
      await b.store.touch(room, person("2", "Ana"), UNIQUE);
      expect((await a.store.list(room)).mark.total).toBe(2);
      await expect(a.store.touch(room, person("1", "Ana"), UNIQUE)).rejects.toMatchObject(taken);
      await a.store.touch(room, person("1", "Anna"), UNIQUE);
    });

    test("is free when its user takes another, and a refused change leaves the user as it was", async () => {
      const { a, b } = nodes;
      await a.store.touch(room, person("1", "Ana"), UNIQUE);
      await a.store.touch(room, person("2", "Ben"), UNIQUE);
      await expect(b.store.touch(room, person("2", "Ana"), UNIQUE)).rejects.toMatchObject(taken);
      await expect(b.store.touch(room, person("3", "Ben"), UNIQUE)).rejects.toMatchObject(taken);
      await a.store.touch(room, person("1", "Anna"), UNIQUE);
      await b.store.touch(room, person("2", "Ana"), UNIQUE);
      await a.store.touch(room, person("3", "Ben"), UNIQUE);
      expect(lines(await heard(a, room))).toEqual(["1/1 +1", "2/2 +2", "3/2 +1", "4/2 +2", "5/3 +3"]);
    });

    test("is given to one of many who want it at once", async () => {
      const { a, b } = nodes;
      const calls = Array.from({ length: 20 }, (_, i) =>
        (i % 2 === 0 ? a : b).store.touch(room, person(`u${i}`, "Ana"), UNIQUE),
      );
      const results = await Promise.allSettled(calls);
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect((await a.store.list(room)).members).toHaveLength(1);
    });

    test("that waits for its answer does not overtake what is said of the user later", async () => {
      const { a, b } = nodes;
      await a.store.touch(room, person("1", "Ana"), UNIQUE);
      const touch = Promise.allSettled([b.store.touch(room, person("2", "Ana"), UNIQUE)]);
      await b.store.remove(room, "2");
      await a.store.remove(room, "1");
      expect(await touch).toMatchObject([{ status: "rejected", reason: taken }]);
      expect((await a.store.list(room)).members).toEqual([]);
    });

    test("is nothing to rooms whose names may be alike", async () => {
      const { a, b } = nodes;
      await a.store.touch(room, person("1", "Ana"), ANY);
      await b.store.touch(room, person("2", "Ana"), ANY);
      expect((await a.store.list(room)).mark.total).toBe(2);
    });
  });

  describe("a full room", () => {
    test("refuses one more and lets its members change; one who leaves makes room", async () => {
      const { a, b } = nodes;
      const two = { ...ANY, most: 2 };
      await a.store.touch(room, person("1"), two);
      await b.store.touch(room, person("2"), two);
      await expect(a.store.touch(room, person("3"), two)).rejects.toMatchObject({ code: "too_large" });
      await a.store.touch(room, person("2", "Ben"), two);
      await a.store.linger(room, "1");
      await expect(b.store.touch(room, person("3"), two)).rejects.toMatchObject({ code: "too_large" });
      await a.store.remove(room, "1");
      await b.store.touch(room, person("3"), two);
      expect(lines(await heard(a, room))).toEqual(["1/1 +1", "2/2 +2", "3/2 +2", "4/1 -1", "5/2 +3"]);
    });
  });
}
