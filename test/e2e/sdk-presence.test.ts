import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { connect, type Client, type Member, type Room } from "../../client/sdk/index.ts";
import type { HubOptions } from "../../server/index.ts";
import { Commands } from "../support/commands.ts";
import { range } from "../support/core.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { Clients, failureOf } from "../support/sdk.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
const clients = new Clients();
let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  clients.close();
  await nodes.close();
});
afterAll(() => redis.stop());

/** Two doors of one hub: two nodes over Redis, the same node twice without. */
async function start(store: "memory" | "redis", options: HubOptions = {}): Promise<RunningNode[]> {
  const own = store === "redis" ? { redisUrl: redis.url, ...options } : options;
  const first = await nodes.start(own);
  return [first, store === "redis" ? await nodes.start(own) : first];
}

function names(members: Iterable<Member>): string[] {
  return [...members].map(({ name }) => name);
}

/** `join bob`, in the order in which it is told. */
function hear({ members }: Room): string[] {
  const told: string[] = [];
  for (const notice of ["join", "leave", "update"] as const)
    members.on(notice, ({ name, info }) =>
      told.push(`${notice} ${name}${info === undefined ? "" : ` ${JSON.stringify(info)}`}`),
    );
  return told;
}

let rooms = 0;

describe.each(["memory", "redis"] as const)("the members of a room over %s", (store) => {
  let name: string;
  beforeEach(() => {
    rooms += 1;
    name = `team:members-${rooms}`;
  });

  function open(node: RunningNode, username: string): Client {
    return clients.open(node.url, { username });
  }

  async function joined(node: RunningNode, username: string, info?: unknown): Promise<Room> {
    const options = { presence: true, ...(info === undefined ? {} : { info }) };
    const room = open(node, username).room(name, options);
    await room.join();
    return room;
  }

  test("are there when the join is answered, and who comes and goes is told once", async () => {
    const [a, b] = await start(store);
    const ana = await joined(a!, "ana");
    expect(names(ana.members)).toEqual(["ana"]);
    expect(ana.members.complete).toBe(true);
    const told = hear(ana);
    const bob = await joined(b!, "bob", { mood: "fine" });
    const heard = hear(bob);
    await until(() => ana.members.size === 2);
    const cem = await joined(a!, "cem");
    await until(() => ana.members.total === 3 && bob.members.total === 3);
    expect(names(bob.members)).toEqual(["ana", "bob", "cem"]);
    expect(ana.members.get([...bob.members][1]!.user)).toMatchObject({ name: "bob", info: { mood: "fine" } });
    await cem.leave();
    await until(() => ana.members.total === 2 && bob.members.size === 2);
    expect(told).toEqual([`join bob {"mood":"fine"}`, "join cem", "leave cem"]);
    expect(heard).toEqual(["join cem", "leave cem"]);
    expect(names(cem.members)).toContain("cem");
  });

  test("are one for all tabs of a user", async () => {
    const [a, b] = await start(store);
    const ana = await joined(a!, "ana");
    const told = hear(ana);
    const guest = "one-and-the-same-user";
    const tabs = [a!, b!].map((node) =>
      clients.open(node.url, { username: "bob", guest }).room(name, { presence: true }),
    );
    for (const tab of tabs) await tab.join();
    await until(() => ana.members.size === 2);
    await tabs[0]!.leave();
    const cem = await joined(b!, "cem");
    await until(() => ana.members.size === 3);
    expect(names(cem.members)).toEqual(["ana", "bob", "cem"]);
    expect(told).toEqual(["join bob", "join cem"]);
  });

  test("hear what a member tells of itself, which it says again when it comes back", async () => {
    const [a, b] = await start(store);
    const proxy = await FaultProxy.start(Number(new URL(b!.url).port));
    try {
      const ana = await joined(a!, "ana");
      const told = hear(ana);
      const bob = clients.open(`http://127.0.0.1:${proxy.port}`, { username: "bob" }).room(name, {
        presence: true,
        info: 1,
      });
      await bob.join();
      await until(() => told.length === 1);
      await bob.members.setInfo({ mood: "fine" });
      await until(() => told.length === 2);
      expect(await failureOf(bob.members.setInfo("x".repeat(2_000)))).toMatchObject({ code: "too_large" });
      proxy.resetAll();
      await until(() => bob.status === "resuming");
      await bob.members.setInfo("said while away");
      await until(() => bob.status === "live", 20_000);
      await until(() => told.length === 3);
      expect(told).toEqual(["join bob 1", `update bob {"mood":"fine"}`, `update bob "said while away"`]);
    } finally {
      await proxy.close();
    }
  });

  test("stay as they were last while there is no connection; afterwards only what has changed is told", async () => {
    const [a, b] = await start(store);
    const proxy = await FaultProxy.start(Number(new URL(a!.url).port));
    try {
      const ana = clients.open(`http://127.0.0.1:${proxy.port}`, { username: "ana" }).room(name, {
        presence: true,
      });
      await ana.join();
      const bob = await joined(b!, "bob");
      const cem = await joined(b!, "cem");
      await until(() => ana.members.size === 3 && bob.members.size === 3);
      const [told, heard] = [hear(ana), hear(bob)];
      proxy.resetAll();
      await until(() => ana.status === "resuming");
      expect(names(ana.members)).toEqual(["ana", "bob", "cem"]);
      await until(() => ana.status === "live", 20_000);
      expect([told, heard]).toEqual([[], []]);
      proxy.resetAll();
      await until(() => ana.status === "resuming");
      await cem.leave();
      await joined(b!, "dan");
      await until(() => ana.status === "live" && ana.members.total === 3, 20_000);
      await until(() => told.length === 2 && heard.length === 2);
      expect(told.toSorted()).toEqual(["join dan", "leave cem"]);
      expect(heard.toSorted()).toEqual(["join dan", "leave cem"]);
    } finally {
      await proxy.close();
    }
  }, 60_000);

  test("are those of the answer, whatever is left of an earlier membership before it", async () => {
    const [a] = await start(store);
    const client = open(a!, "ana");
    const room = client.room(name, { presence: true });
    const told = hear(room);
    await until(() => client.status === "connected");
    const joining = room.join();
    const ghost = { user: "guest:ghost", name: "ghost", joinedAt: 1 };
    const stray = { room: name, joined: [ghost], left: [], total: 9 };
    for (const listener of client.socket.listenersAny()) listener("room:members", stray);
    await joining;
    expect(names(room.members)).toEqual(["ana"]);
    expect(room.members.total).toBe(1);
    expect(told).toEqual([]);
  });

  test("come a page at a time in a large room, and all of them when they are asked for", async () => {
    const limits = { membersPage: 4, messagesPerSecond: 1_000, messageBurst: 1_000 };
    const [a, b] = await start(store, { limits });
    const others = await Promise.all(range(1, 10).map((n) => joined(n % 2 === 0 ? a! : b!, `member-${n}`)));
    const ana = open(a!, "ana").room(name, { presence: true });
    const told = hear(ana);
    await ana.join();
    expect(ana.members.complete).toBe(false);
    expect(ana.members.total).toBeGreaterThan(4);
    const loading = ana.members.load();
    await others[0]!.leave();
    await loading;
    await until(() => ana.members.size === 10 && ana.members.total === 10);
    expect(ana.members.complete).toBe(true);
    expect(names(ana.members).toSorted()).toEqual(
      ["ana", ...range(2, 10).map((n) => `member-${n}`)].toSorted(),
    );
    const times = [...ana.members].map(({ joinedAt }) => joinedAt);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
    expect(told.filter((line) => line.startsWith("update"))).toEqual([]);
  });
});

test("a node that is killed and replaced takes no member along that comes back", async () => {
  const commands = new Commands();
  try {
    const args = ["--redis-url", redis.url];
    const killed = await commands.serve(args);
    const other = await nodes.start({ redisUrl: redis.url });
    const [ana, bob, cem] = [killed.url, other.url, killed.url].map((url, n) =>
      clients.open(url, { username: ["ana", "bob", "cem"][n]! }).room("team:killed", { presence: true }),
    ) as [Room, Room, Room];
    for (const room of [ana, bob, cem]) await room.join();
    await until(() => [ana, bob, cem].every(({ members }) => members.size === 3));
    const told = [ana, bob, cem].map(hear);
    await killed.end("SIGKILL");
    await until(() => ana.status === "resuming" && cem.status === "resuming");
    await commands.serve([...args, "--port", new URL(killed.url).port]);
    await until(() => ana.status === "live" && cem.status === "live", 20_000);
    // It comes after whatever the return has changed.
    const dan = clients.open(other.url, { username: "dan" }).room("team:killed", { presence: true });
    await dan.join();
    await until(() => [ana, bob, cem].every(({ members }) => members.size === 4));
    expect(told).toEqual([["join dan"], ["join dan"], ["join dan"]]);
    expect(names(ana.members)).toEqual(["ana", "bob", "cem", "dan"]);
  } finally {
    await commands.close();
  }
}, 60_000);

describe.each(["memory", "redis"] as const)("typing over %s", (store) => {
  test("is told to the others at most every 3 s, and ends by itself or with a message", async () => {
    const [a, b] = await start(store);
    rooms += 1;
    const name = `chat:typing-${rooms}`;
    const [ana, bob] = await Promise.all(
      [a!, b!].map(async ({ url }, n) => {
        const room = clients.open(url, { username: ["ana", "bob"][n]! }).room(name, { presence: true });
        await room.join();
        return room;
      }),
    );
    const seen: string[] = [];
    ana!.on("room:typing", (typists) => seen.push(typists.map((one) => one.name).join()));
    let events = 0;
    ana!.on("typing", () => (events += 1));
    let own = 0;
    bob!.on("room:typing", () => (own += 1));
    for (const _ of range(1, 20)) bob!.typing();
    await until(() => ana!.typists.length === 1);
    await bob!.publish("message", { text: "done" });
    await until(() => seen.length === 2);
    expect(seen).toEqual(["bob", ""]);
    expect(events).toBe(1);
    await until(() => {
      bob!.typing();
      return events === 2;
    }, 10_000);
    await until(() => seen.length === 4, 10_000);
    expect(seen).toEqual(["bob", "", "bob", ""]);
    expect(own).toBe(0);
    await until(() => {
      bob!.typing();
      return ana!.typists.length === 1;
    }, 10_000);
    await bob!.leave();
    await until(() => ana!.typists.length === 0, 2_000);
  }, 60_000);

  test("is nobody's business without a connection, and forgotten when the room is left", async () => {
    const [a] = await start(store);
    const client = connect("http://127.0.0.1:9");
    client.room("chat:x").typing();
    client.close();
    rooms += 1;
    const name = `chat:typing-${rooms}`;
    const ana = clients.open(a!.url, { username: "ana" }).room(name);
    const bob = clients.open(a!.url, { username: "bob" }).room(name);
    await Promise.all([ana.join(), bob.join()]);
    bob.typing();
    await until(() => ana.typists.length === 1);
    await ana.leave();
    expect(ana.typists).toEqual([]);
    ana.typing();
  });
});
