import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { MembersReply } from "../../shared/protocol.ts";
import type { HubOptions } from "../../server/index.ts";
import { range } from "../support/core.ts";
import { MemberWatch } from "../support/member-watch.ts";
import { Nodes, type RunningNode, type StockClient } from "../support/nodes.ts";
import { PATIENT, RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

let redis: RedisServer;
const nodes = new Nodes();
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterEach(() => nodes.close());
afterAll(() => redis.stop());

const GUESTS: Readonly<Record<string, string>> = { ana: "guest-of-ana", bob: "guest-of-bob" };
let rooms = 0;

/** Two doors of one hub: two nodes over Redis, the same node twice without. */
async function start(store: "memory" | "redis", options: HubOptions = {}): Promise<RunningNode[]> {
  if (store === "memory") {
    const node = await nodes.start(options);
    return [node, node];
  }
  const patient = { redisUrl: redis.url, ...options, limits: { ...PATIENT, ...options.limits } };
  return [await nodes.start(patient), await nodes.start(patient)];
}

function connect({ url }: RunningNode, username: string): Promise<StockClient> {
  return nodes.client(url, { auth: { username, guest: GUESTS[username] } });
}

async function watcher(node: RunningNode, username: string, room: string): Promise<MemberWatch> {
  const watch = new MemberWatch(await connect(node, username), room);
  await watch.join();
  return watch;
}

describe.each(["memory", "redis"] as const)("presence over %s", (store) => {
  let room: string;
  beforeEach(() => {
    rooms += 1;
    room = `chat:presence-${rooms}`;
  });

  test("shows who joins all who are there, itself too, and tells the others of it", async () => {
    const [a, b] = await start(store);
    const ana = await watcher(a!, "ana", room);
    expect(ana.names).toEqual(["ana"]);
    const bob = new MemberWatch(await connect(b!, "bob"), room);
    const reply = await bob.join({ info: { mood: "fine" } });
    const member = { user: expect.any(String), joinedAt: expect.any(Number) };
    expect(reply.members?.toSorted((one, other) => one.name.localeCompare(other.name))).toEqual([
      { ...member, name: "ana" },
      { ...member, name: "bob", info: { mood: "fine" } },
    ]);
    await until(() => ana.names.length === 2);
    expect(ana.pushes).toHaveLength(1);
    expect(ana.pushes[0]).toEqual({
      room,
      joined: [{ ...member, name: "bob", info: { mood: "fine" } }],
      left: [],
      total: 2,
    });
  });

  test("has everyone in a chat as a member, and pushes to those who ask", async () => {
    const [a, b] = await start(store);
    const ana = await connect(a!, "ana");
    await ana.join(room);
    let pushes = 0;
    ana.socket.on("room:members", () => (pushes += 1));
    const bob = await watcher(b!, "bob", room);
    expect(bob.names).toEqual(["ana", "bob"]);
    await ana.ask("leave", { room });
    await until(() => bob.names.length === 1);
    expect(pushes).toBe(0);
  });

  test("has only those as members who ask to be, in a log", async () => {
    const [a, b] = await start(store);
    const log = room.replace("chat:", "stream:");
    await (await connect(a!, "ana")).join(log);
    const bob = await watcher(b!, "bob", log);
    expect(bob.names).toEqual(["bob"]);
    const members = await until(async () => {
      const reply = await fetch(`${a!.url}/rooms/${encodeURIComponent(log)}/members`);
      const page = (await reply.json()) as MembersReply;
      return page.connections === 2 && page;
    });
    expect(members).toMatchObject({ members: [{ name: "bob" }], total: 1, connections: 2, complete: true });
  });

  test("counts several tabs of one user as one member, until the last one has left", async () => {
    const [a, b] = await start(store);
    const bob = await watcher(a!, "bob", room);
    const tabs = [await connect(a!, "ana"), await connect(b!, "ana"), await connect(b!, "ana")];
    for (const tab of tabs) await tab.join(room);
    await until(() => bob.names.length === 2);
    for (const tab of tabs) await tab.ask("leave", { room });
    await until(() => bob.names.length === 1);
    expect([[...bob.joins.values()], [...bob.leaves.values()]]).toEqual([[1], [1]]);
  });

  test("tells nobody of a reload, on another node neither", async () => {
    const [a, b] = await start(store);
    const bob = await watcher(a!, "bob", room);
    let ana = await connect(a!, "ana");
    await ana.join(room);
    for (const i of range(1, 6)) {
      ana.socket.disconnect();
      ana = await connect(i % 2 === 0 ? a! : b!, "ana");
      await ana.join(room);
    }
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect([[...bob.joins.values()], [...bob.leaves.values()]]).toEqual([[1], []]);
    ana.socket.disconnect();
    await until(() => bob.names.length === 1);
  });

  test("refuses the name of another member, however it is written, until that one has left", async () => {
    const [a, b] = await start(store);
    const ana = await connect(a!, "ana");
    await ana.join(room);
    const other = await nodes.client(b!.url, { auth: { username: "ＡＮＡ" } });
    await expect(other.join(room)).rejects.toThrow("name_taken");
    await expect(other.join(room.replace("chat:", "stream:"))).resolves.toBeDefined();
    await ana.ask("leave", { room });
    await until(() => other.join(room));
  });

  test("lets several have one name where the room's options say so", async () => {
    const [a, b] = await start(store, { rooms: { "chat:*": { uniqueNames: false } } });
    await (await connect(a!, "ana")).join(room);
    const other = new MemberWatch(await nodes.client(b!.url, { auth: { username: "ana" } }), room);
    await other.join();
    expect(other.names).toEqual(["ana", "ana"]);
  });

  test("gives the name of a client whose connection has ended to another one", async () => {
    const [a, b] = await start(store);
    const first = await nodes.client(a!.url, { auth: { username: "eva" } });
    await first.join(room);
    first.socket.disconnect();
    const second = await nodes.client(b!.url, { auth: { username: "eva" } });
    await until(() => second.join(room));
  });

  test("lets a member change what it tells of itself, and nobody who is none", async () => {
    const [a, b] = await start(store);
    const bob = await watcher(a!, "bob", room);
    const ana = await connect(b!, "ana");
    expect(await ana.ask("info", { room, info: 1 })).toMatchObject({ error: { code: "bad_request" } });
    await ana.join(room);
    expect(await ana.ask("info", { room, info: { away: true } })).toEqual({ ok: true, room });
    await until(() => [...bob.known.values()].some(({ info }) => JSON.stringify(info) === '{"away":true}'));
    const info = "x".repeat(1_023);
    expect(await ana.ask("info", { room, info })).toMatchObject({ error: { code: "too_large" } });
    expect(await ana.ask("info", { room, info: info.slice(1) })).toMatchObject({ ok: true });
  });

  test("gives the members of a large room page by page", async () => {
    const [a, b] = await start(store, { limits: { membersPage: 10 } });
    const clients = await Promise.all(
      range(1, 25).map((i) => nodes.client((i % 2 === 0 ? a! : b!).url, { auth: { username: `user-${i}` } })),
    );
    await Promise.all(clients.map((client) => client.join(room)));
    const bob = await connect(a!, "bob");
    const reply = await bob.join(room, { presence: true });
    expect([reply.members?.length, reply.total]).toEqual([10, 26]);
    const users = reply.members!.map(({ user }) => user);
    for (let complete = false; !complete;) {
      const page = await bob.ask<MembersReply>("members", { room, after: users.at(-1), limit: 10 });
      if (!page.ok) throw new Error(page.error.message);
      users.push(...page.members.map(({ user }) => user));
      ({ complete } = page);
    }
    expect(users).toEqual([...new Set(users)].toSorted());
    expect(users).toHaveLength(26);
    expect(await bob.ask("members", { room, limit: 11 })).toMatchObject({ error: { code: "bad_request" } });
  });

  test("refuses one member more than the room takes, and takes it when one has left", async () => {
    const [a, b] = await start(store, { limits: { membersPerRoom: 2 } });
    const ana = await connect(a!, "ana");
    await ana.join(room);
    await (await connect(b!, "bob")).join(room);
    const eva = await nodes.client(a!.url, { auth: { username: "eva" } });
    await expect(eva.join(room)).rejects.toThrow("too_large");
    await ana.ask("leave", { room });
    await until(() => eva.join(room));
  });

  test("counts connections and members of the whole cluster over HTTP", async () => {
    const [a, b] = await start(store);
    await (await connect(a!, "ana")).join(room);
    await (await connect(b!, "ana")).join(room);
    await (await connect(b!, "bob")).join(room);
    await a!.hub.publish(room, "message", { text: "hi" });
    for (const { url } of [a!, b!]) {
      await until(async () => {
        const one = await (await fetch(`${url}/rooms/${encodeURIComponent(room)}`)).json();
        const list = await (await fetch(`${url}/rooms?prefix=${encodeURIComponent(room)}&limit=1`)).json();
        expect(one).toMatchObject({ room, connections: 3, members: 2 });
        expect(list).toMatchObject({ rooms: [{ room, offset: 1, connections: 3, members: 2 }] });
        return true;
      });
    }
  });

  test("asks for the right of presence, and lists nothing without it", async () => {
    const authorize = (_: unknown, capability: string): boolean => capability !== "presence";
    const [a] = await start(store, { authorize });
    const ana = await connect(a!, "ana");
    await ana.join(room);
    await expect(ana.join(room, { presence: true })).rejects.toThrow("forbidden");
    expect(await ana.ask("members", { room })).toMatchObject({ error: { code: "forbidden" } });
    expect((await fetch(`${a!.url}/rooms/${encodeURIComponent(room)}/members`)).status).toBe(403);
  });
});
