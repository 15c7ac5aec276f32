import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { request } from "node:http";
import { WebSocket } from "ws";
import { Nodes, type RunningNode } from "../support/nodes.ts";

const nodes = new Nodes();
let node: RunningNode;

beforeEach(async () => {
  // Handshakes that a test leaves unfinished are given up soon.
  node = await nodes.start({ limits: { handshakeMs: 500 } });
});
afterEach(() => nodes.close());

describe("a page of another origin", () => {
  /** engine.io answers every upgrade that it refuses so. */
  const REFUSED_UPGRADE = 400;

  /** fetch sets no Origin or Host of ours. */
  function statusOf(path: string, headers: Record<string, string>): Promise<number> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(node.url);
      const sent = request({ hostname, port, path, headers }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      });
      sent.on("error", reject).end();
    });
  }

  function upgradeStatus(headers: Record<string, string>): Promise<number> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`${node.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`, {
        headers,
      });
      socket.once("open", () => {
        socket.terminate();
        resolve(101);
      });
      socket.once("unexpected-response", (sent, response) => {
        sent.destroy();
        resolve(response.statusCode!);
      });
      socket.once("error", reject);
    });
  }

  const FOREIGN = [
    "https://evil.example",
    "null",
    "file://",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://LOCALHOST:3000",
    "http://user@localhost:3000",
    "http://loc\u0430lhost:3000",
    "http://localhost:3000/",
    "javascript:alert(1)",
  ].map((origin) => Buffer.from(origin).toString("latin1"));

  it.each(FOREIGN)("%s is refused on polling, upgrade and HTTP", async (origin) => {
    expect(await statusOf("/socket.io/?EIO=4&transport=polling", { origin })).toBe(403);
    expect(await upgradeStatus({ origin })).toBe(REFUSED_UPGRADE);
    expect(await statusOf("/rooms", { origin })).toBe(403);
  });

  it.each(["http://localhost:5173", "http://127.0.0.1:8080", "http://[::1]:9", undefined])(
    "is not one of this machine, such as %s",
    async (origin) => {
      const headers: Record<string, string> = origin === undefined ? {} : { origin };
      expect(await statusOf("/socket.io/?EIO=4&transport=polling", headers)).toBe(200);
      expect(await upgradeStatus(headers)).toBe(101);
      expect(await statusOf("/rooms", headers)).toBe(200);
    },
  );

  it("can't come in by a name of its own that points here", async () => {
    const headers = { host: "evil.example", origin: "http://evil.example" };
    expect(await statusOf("/socket.io/?EIO=4&transport=polling", headers)).toBe(403);
    expect(await upgradeStatus(headers)).toBe(REFUSED_UPGRADE);
    expect(await statusOf("/rooms", headers)).toBe(403);
  });

  it("is let in where the hub lists it, and nowhere else does another port pass", async () => {
    node = await nodes.start({ open: true, origins: ["https://app.example"], limits: { handshakeMs: 500 } });
    for (const [origin, status] of [
      ["https://app.example", 200],
      ["https://app.example:444", 403],
      ["http://app.example", 403],
      ["http://localhost:1", 403],
      [node.url, 200],
    ] as const) {
      expect([origin, await statusOf("/socket.io/?EIO=4&transport=polling", { origin })]).toEqual([
        origin,
        status,
      ]);
      expect([origin, await upgradeStatus({ origin })]).toEqual([
        origin,
        status === 200 ? 101 : REFUSED_UPGRADE,
      ]);
      expect([origin, await statusOf("/rooms", { origin })]).toEqual([origin, status]);
    }
  });
});

describe("another machine", () => {
  it("keeps the hub from listening where it could reach it, unless the hub is open", async () => {
    for (const host of ["0.0.0.0", "::", "127.0.0.1.example.com", "192.0.2.1"]) {
      await expect(node.hub.listen(0, host)).rejects.toMatchObject({ code: "unauthorized" });
    }
    await expect(node.hub.listen(0, "0.0.0.0")).rejects.toThrow("ROOMCAST_OPEN=1");
  });
});
