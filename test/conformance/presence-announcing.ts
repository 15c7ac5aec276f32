import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { RoomName } from "../../shared/room-name.ts";
import { until } from "../support/wait.ts";
import { freshRoom } from "./broker-nodes.ts";
import {
  ANY,
  heard,
  lines,
  type MakePresence,
  person,
  type PresenceNodes,
  usersOf,
} from "./presence-nodes.ts";

export function describeAnnouncing(makeNodes: MakePresence): void {
  let nodes: PresenceNodes;
  let room: RoomName;

  async function freshNodes(): Promise<PresenceNodes> {
    room = freshRoom();
    await Promise.all([nodes.a.hold(room), nodes.b.hold(room)]);
    return nodes;
  }

  describe("announcing", () => {
    beforeAll(async () => {
      nodes = await makeNodes();
    });
    afterAll(() => nodes.close());

    test("tells all nodes of a user who comes, with the time of the store", async () => {
      const { a, b } = await freshNodes();
      await a.store.touch(room, person("ana", "Ana", { mood: "good" }), ANY);
      const [change, ...others] = await heard(a, room);
      expect(others).toEqual([]);
      expect(change).toEqual({
        life: expect.stringMatching(/./),
        version: 1,
        total: 1,
        joined: [{ user: "ana", name: "Ana", info: { mood: "good" }, joinedAt: expect.any(Number) }],
        left: [],
      });
      expect(Math.abs(change!.joined[0]!.joinedAt - Date.now())).toBeLessThan(60_000);
      expect(await heard(b, room)).toEqual([change]);
    });

    test("tells nothing of a user whom a second node says too, or the same one again", async () => {
      const { a, b } = await freshNodes();
      await a.store.touch(room, person("ana"), ANY);
      await b.store.touch(room, person("ana"), ANY);
      await a.store.touch(room, person("ana"), ANY);
      await a.store.touch(room, person("ben"), ANY);
      expect(lines(await heard(b, room))).toEqual(["1/1 +ana", "2/2 +ben"]);
    });

    test("tells that a user has left when the last of its nodes takes it back, as it was last", async () => {
      const { a, b } = await freshNodes();
      await a.store.touch(room, person("ana", "Ana"), ANY);
      await b.store.touch(room, person("ana", "Ana B."), ANY);
      await a.store.remove(room, "ana");
      await b.store.remove(room, "ana");
      const changes = await heard(a, room);
      expect(lines(changes)).toEqual(["1/1 +ana", "2/1 +ana", "3/0 -ana"]);
      expect(changes[2]!.left).toEqual(changes[1]!.joined);
      expect(await heard(b, room)).toEqual(changes);
    });

    test("tells of another name and other info, joinedAt stays", async () => {
      const { a, b } = await freshNodes();
      await a.store.touch(room, person("ana", "Ana"), ANY);
      await a.store.touch(room, person("ana", "Ann"), ANY);
      await b.store.touch(room, person("ana", "Ann", [1]), ANY);
      await b.store.touch(room, person("ana", "Ann"), ANY);
      const joined = (await heard(a, room)).flatMap((change) => change.joined);
      const { joinedAt } = joined[0]!;
      expect(joined).toEqual([
        { user: "ana", name: "Ana", joinedAt },
        { user: "ana", name: "Ann", joinedAt },
        { user: "ana", name: "Ann", info: [1], joinedAt },
        { user: "ana", name: "Ann", joinedAt },
      ]);
    });

    test("tells nothing of a user who lingers, is back, or is no member", async () => {
      const { a, b } = await freshNodes();
      await a.store.touch(room, person("ana"), ANY);
      await a.store.linger(room, "ana");
      await a.store.linger(room, "nobody");
      await a.store.remove(room, "nobody");
      await b.store.remove(room, "ana");
      await b.store.linger(room, "ana");
      await a.store.touch(room, person("ana"), ANY);
      await a.store.linger(room, "ana");
      await a.store.remove(room, "ana");
      expect(lines(await heard(b, room))).toEqual(["1/1 +ana", "2/0 -ana"]);
    });

    test("is not misled by operations that are repeated", async () => {
      const { a, b } = await freshNodes();
      for (const node of [a, b, a, b]) await node.store.touch(room, person("ana"), ANY);
      for (let i = 0; i < 3; i += 1) await a.store.linger(room, "ana");
      for (let i = 0; i < 3; i += 1) await a.store.remove(room, "ana");
      expect((await a.store.list(room)).members).toHaveLength(1);
      for (let i = 0; i < 3; i += 1) await b.store.remove(room, "ana");
      expect(lines(await heard(a, room))).toEqual(["1/1 +ana", "2/0 -ana"]);
      await a.store.touch(room, person("ana"), ANY);
      expect(lines(await heard(b, room)).slice(2)).toEqual(["3/1 +ana"]);
    });

    test("keeps the order of one node's calls", async () => {
      const { a, b } = await freshNodes();
      const calls: Promise<void>[] = [];
      for (let i = 0; i < 300; i += 1) {
        const user = `u${i % 7}`;
        calls.push(a.store.touch(room, person(user, `name ${i}`), ANY));
        if (i % 3 === 0) calls.push(a.store.remove(room, user));
        if (i % 50 === 0) await Promise.all(calls);
      }
      await Promise.all(calls);
      const { mark, members } = await b.store.list(room);
      const expected = [293, 295, 296, 298, 299].map((i) => `name ${i}`);
      expect(members.map(({ name }) => name).toSorted()).toEqual(expected);
      const changes = await heard(b, room);
      expect(changes.map(({ version }) => version)).toEqual(changes.map((_, i) => i + 1));
      expect(changes.at(-1)).toMatchObject(mark);
    });

    test.each([
      ["line separators", "\u2028\u2029\n\r\0"],
      ["lone surrogates", "\ud800 \udfff"],
      ["quotes and slashes", `"\\"'}]{[,"joinedAt":1}`],
      ["the name of a prototype", "__proto__"],
      ["what looks like a number or a sign", "-1"],
      ["nothing", ""],
    ])("carries %s in user, name and info", async (_name, text) => {
      const { a, b } = await freshNodes();
      const info: unknown = JSON.parse(JSON.stringify({ text }).replace('"text":', '"__proto__":1,"text":'));
      const member = { user: text, name: text, info, joinedAt: expect.any(Number) };
      await a.store.touch(room, person(text, text, info), ANY);
      await a.store.touch(room, person(`${text}.`), ANY);
      expect((await heard(b, room))[0]!.joined).toEqual([member]);
      expect((await b.store.list(room)).members).toContainEqual(member);
      await a.store.remove(room, text);
      expect((await heard(b, room)).at(-1)!.left).toEqual([member]);
      expect(usersOf((await b.store.list(room)).members)).toEqual([`${text}.`]);
    });

    test("tells two users apart whose lone surrogates differ", async () => {
      const { a } = await freshNodes();
      await a.store.touch(room, person("\ud800"), ANY);
      await a.store.touch(room, person("\ud801"), ANY);
      expect((await a.store.list(room)).mark.total).toBe(2);
    });

    test("goes on for the others when a node's handler throws", async () => {
      const { a, b } = await freshNodes();
      const onMembers = a.ear.onMembers.bind(a.ear);
      a.ear.onMembers = () => {
        throw new Error("no");
      };
      await a.store.touch(room, person("ana"), ANY);
      expect(lines(await heard(b, room))).toEqual(["1/1 +ana"]);
      a.ear.onMembers = onMembers;
      await b.store.touch(room, person("ben"), ANY);
      await until(() => a.ear.of(room).length === 1);
    });
  });

  describe("a node that closes", () => {
    test("has its users taken back, but those whom another node says too", async () => {
      nodes = await makeNodes();
      const { a, b } = await freshNodes();
      await a.store.touch(room, person("ana"), ANY);
      await a.store.touch(room, person("ben"), ANY);
      await b.store.touch(room, person("ben"), ANY);
      a.store.setConnections(room, 3);
      await until(async () => (await b.store.counts([room]))[0]!.connections === 3);
      await a.store.close();
      await until(() => b.ear.of(room).length === 3, 20_000);
      expect(lines(b.ear.of(room))).toEqual(["1/1 +ana", "2/2 +ben", "3/1 -ana"]);
      expect(usersOf((await b.store.list(room)).members)).toEqual(["ben"]);
      expect(await b.store.counts([room])).toEqual([{ connections: 0, members: 1 }]);
      await expect(a.store.touch(room, person("ana"), ANY)).rejects.toMatchObject({ code: "unavailable" });
      await expect(a.store.list(room)).rejects.toMatchObject({ code: "unavailable" });
      await a.store.close();
      await nodes.close();
    }, 30_000);
  });
}
