import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Socket } from "socket.io";
import type { Client } from "../../client/sdk/index.ts";
import { HubError } from "../../shared/errors.ts";
import { range } from "../support/core.ts";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { packageRoot, runNode } from "../support/run-node.ts";
import { Clients, failureOf, listen } from "../support/sdk.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
const clients = new Clients();

afterEach(async () => {
  clients.close();
  await nodes.close();
});

/** The status changes and errors of a client, as they come. */
function follow(client: Client): string[] {
  const told: string[] = [];
  client.on("status", (status, error) => told.push(error === undefined ? status : `${status} ${error.code}`));
  client.on("error", ({ code }) => told.push(`error ${code}`));
  return told;
}

/** Closes all transports, and leaves it to the clients to come back. */
function cut({ hub }: RunningNode): void {
  hub.io.sockets.sockets.forEach(({ conn }) => conn.close());
}

/** Refuses handshakes, for as long as there is an error. */
async function refusing(refusal: { error?: HubError }) {
  const node = await nodes.start();
  node.hub.io.use((_socket, next) => {
    const { error } = refusal;
    next(error && Object.assign(new Error(error.message), { data: error.toJSON() }));
  });
  return node;
}

describe("the connection of the SDK", () => {
  test("ends for good when the hub refuses it for good, and says why", async () => {
    const refusal = { error: new HubError("unauthorized", "the token is bad") };
    const node = await refusing(refusal);
    const client = clients.open(node.url);
    const told = follow(client);
    const room = client.room("chat:lobby");
    const requests = [room.join(), room.publish("message", 1), room.history().next()];
    const errors = await Promise.all(requests.map(failureOf));
    for (const error of errors) expect(error).toMatchObject({ code: "unauthorized" });
    expect(client.error).toMatchObject({ code: "unauthorized", message: "the token is bad" });
    expect(told).toEqual(["error unauthorized", "closed unauthorized"]);
    expect([client.status, room.status]).toEqual(["closed", "closed"]);
    expect(await failureOf(room.join())).toBe(client.error);
    expect(await failureOf(room.publish("message", 1))).toBe(client.error);
  });

  test("comes back when the hub refuses it for a passing reason", async () => {
    const refusal: { error?: HubError } = {
      error: new HubError("unavailable", "not yet", { retryAfterMs: 600 }),
    };
    const node = await refusing(refusal);
    const client = clients.open(node.url);
    const told = follow(client);
    const room = client.room("chat:lobby");
    const joined = room.join();
    await until(() => told.length > 0);
    const refusedAt = performance.now();
    delete refusal.error;
    await joined;
    expect(performance.now() - refusedAt).toBeGreaterThan(590);
    expect(told).toEqual(["error unavailable", "connected"]);
  });

  test("comes back after pauses of at least 0.5 s, and tells of each attempt", async () => {
    const node = await nodes.start();
    const proxy = await FaultProxy.start(Number(new URL(node.url).port));
    try {
      const client = clients.open(`http://127.0.0.1:${proxy.port}`);
      const told = follow(client);
      const room = client.room("chat:lobby");
      const { statuses } = listen(room);
      await room.join();
      await proxy.set("reset");
      const times: number[] = [];
      client.on("error", () => times.push(performance.now()));
      proxy.resetAll();
      await until(() => times.length === 3, 10_000);
      for (const i of [1, 2]) expect(times[i]! - times[i - 1]!).toBeGreaterThan(490);
      await proxy.set("pass");
      await until(() => room.status === "live", 10_000);
      expect(statuses).toEqual(["joining", "live", "resuming", "live"]);
      const errors = told.filter((line) => line === "error unavailable");
      expect(told).toEqual(["connected", "reconnecting unavailable", ...errors, "connected"]);
      expect(client.error).toBeUndefined();
    } finally {
      clients.close();
      await proxy.close();
    }
  }, 60_000);

  test("asks for the token on every connection, and again when there was none", async () => {
    const node = await nodes.start();
    const auths: unknown[] = [];
    node.hub.io.use((socket, next) => {
      auths.push(socket.handshake.auth);
      next();
    });
    let calls = 0;
    const token = async (): Promise<string> => {
      calls += 1;
      if (calls === 2) throw new Error("the server of the tokens is away");
      return `token-${calls}`;
    };
    const client = clients.open(node.url, { username: "ana", token });
    const told = follow(client);
    await until(() => client.status === "connected");
    const guest: unknown = expect.stringMatching(/^[\w-]{16}$/);
    cut(node);
    await until(() => auths.length === 2, 10_000);
    expect(auths).toEqual([
      { username: "ana", guest, token: "token-1" },
      { username: "ana", guest, token: "token-3" },
    ]);
    const [before, after] = auths as { guest: string }[];
    expect(after!.guest).toBe(before!.guest);
    expect(told.filter((line) => line === "error unavailable")).toHaveLength(2);
  }, 60_000);

  test("comes back after the delay that a stopping hub asks for", async () => {
    const node = await nodes.start();
    let server: Socket | undefined;
    node.hub.io.on("connection", (socket) => (server = socket));
    const client = clients.open(node.url);
    const room = client.room("chat:lobby");
    await room.join();
    const closedAt = performance.now();
    server!.emit("hub:closing", { code: "shutdown", reconnect: true, delayMs: 1_500 });
    server!.conn.close();
    await until(() => room.status === "resuming");
    await until(() => room.status === "live");
    const delay = performance.now() - closedAt;
    // Its own first pause would be 1 s at most.
    expect(delay).toBeGreaterThan(1_450);
    expect(delay).toBeLessThan(2_500);
  });

  test.each([
    [undefined, "forbidden"],
    [{ code: "kicked", reconnect: false, delayMs: 0 }, "forbidden"],
    [{ code: "invalid_token", reconnect: false, delayMs: 0 }, "unauthorized"],
  ])("stays away when the hub ends the namespace with %j", async (closing, code) => {
    const node = await nodes.start();
    let server: Socket | undefined;
    node.hub.io.on("connection", (socket) => (server = socket));
    const client = clients.open(node.url);
    const room = client.room("chat:lobby");
    const closed: unknown[] = [];
    room.on("room:closed", (notice) => closed.push(notice));
    await room.join();
    if (closing !== undefined) server!.emit("hub:closing", closing);
    server!.disconnect();
    await until(() => client.status === "closed");
    expect(client.error?.code).toBe(code);
    expect(closed).toEqual([{ room: "chat:lobby", code, reason: client.error!.message }]);
    expect(room.status).toBe("closed");
  });

  test("comes back when the hub ends the namespace and asks for it", async () => {
    const node = await nodes.start();
    let server: Socket | undefined;
    node.hub.io.on("connection", (socket) => (server = socket));
    const client = clients.open(node.url);
    const told = follow(client);
    await until(() => server);
    server!.emit("hub:closing", { code: "expired", reconnect: true, delayMs: 10 });
    server!.disconnect();
    await until(() => told.length === 4);
    expect(told).toEqual(["connected", "reconnecting unavailable", "error unavailable", "connected"]);
  });

  test("tells who waits for a join that the hub refuses it, and others by room:closed", async () => {
    let allowed = false;
    const node = await nodes.start({ authorize: (_session, capability) => capability !== "join" || allowed });
    const client = clients.open(node.url);
    const room = client.room("chat:lobby");
    const closed: string[] = [];
    room.on("room:closed", ({ code }) => closed.push(code));
    expect((await failureOf(room.join())).code).toBe("forbidden");
    expect([room.status, closed]).toEqual(["closed", []]);
    allowed = true;
    await room.join();
    allowed = false;
    cut(node);
    await until(() => closed.length === 1);
    expect([room.status, client.status, closed]).toEqual(["closed", "connected", ["forbidden"]]);
    expect((await failureOf(client.room("lobby").join())).code).toBe("bad_room");
  });

  test("shares a guest's identity where it is given, and makes one per client in Node", async () => {
    const node = await nodes.start();
    const users: unknown[] = [];
    for (const options of [{ guest: "the-same-guest" }, { guest: "the-same-guest" }, {}, {}]) {
      const room = clients.open(node.url, options).room("chat:lobby");
      await room.publish("hello", null);
      const { value } = await room.history({ limit: 1 }).next();
      users.push(value!.from!.user);
    }
    expect(users[1]).toBe(users[0]);
    expect(new Set(users).size).toBe(3);
  });

  test("leaves nothing that keeps a program running", async () => {
    const node = await nodes.start();
    const folder = mkdtempSync(join(tmpdir(), "roomcast-sdk-"));
    const sdk = pathToFileURL(join(packageRoot, "dist/client/sdk/index.js")).href;
    const program = `import { connect } from ${JSON.stringify(sdk)};
const [live, away] = [connect(process.argv[2]), connect("http://127.0.0.1:9")];
const room = live.room("chat:lobby");
await room.join();
const waiting = [away.room("chat:a").join(), away.room("chat:a").publish("n", 1, { timeoutMs: 60_000 })];
waiting.push(away.room("chat:a").history().next());
away.on("error", () => {
  away.close();
  live.room("chat:b").join().catch(() => {});
  live.room("chat:b").publish("n", 1).catch(() => {});
  live.close();
});
console.log((await Promise.allSettled(waiting)).map(({ reason }) => reason.code).join());
`;
    try {
      const file = join(folder, "program.mjs");
      writeFileSync(file, program);
      expect(await runNode([file, node.url], { ms: 5_000 })).toEqual({
        out: "bad_request,bad_request,bad_request\n",
        err: "",
        code: 0,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("gives the same room for the same name, in any Unicode form of it", async () => {
    const node = await nodes.start();
    const client = clients.open(node.url);
    const room = client.room("chat:caf\u0065\u0301");
    expect(client.room("chat:caf\u00e9")).toBe(room);
    const { data } = listen(room);
    await room.join();
    for (const i of range(1, 3)) await room.publish("n", i);
    await until(() => data.length === 3);
  });
});
