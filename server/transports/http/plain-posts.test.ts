import { once } from "node:events";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import express from "express";
import { HubError } from "../../../shared/errors.ts";
import { startHttpHub, type HttpHub, type HttpHubOptions } from "../../../test/support/http-hub.ts";
import { until } from "../../../test/support/wait.ts";
import { plainPosts } from "./plain-posts.ts";

const LISTED = "https://app.example.com";
const ROOM = "/rooms/chat%3Aa/messages";
const JSON_TYPE = { "content-type": "application/json" };
const LINES_TYPE = { "content-type": "application/x-ndjson" };
const ONE = '{"event":"message","data":{"text":"é"},"id":"one"}';

interface Case {
  readonly name: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer>;
  /** Express answers it either way. */
  readonly unusual?: true;
  /** What the store fails with meanwhile. */
  readonly refusal?: unknown;
}

function json(name: string, value: unknown, more: Partial<Case> = {}): Case {
  return { name, body: JSON.stringify(value), ...more };
}

const LATIN1 = Uint8Array.from(Buffer.from(ONE, "latin1"));
const many = (length: number): unknown[] => Array.from({ length }, (_, i) => item(i));
const item = (i: number): object => ({ room: "stream:b", event: "log", data: i, id: `many-${i}` });

const CASES: readonly Case[] = [
  { name: "a message", body: ONE },
  { name: "a message that was sent before", body: ONE },
  json("another one with its id", { event: "message", data: 1, id: "one" }),
  json("an ephemeral one", { event: "typing", data: 1, id: "e", ephemeral: true }),
  json("a key", { event: "message", data: 1 }, { headers: { ...JSON_TYPE, "idempotency-key": "key" } }),
  json(
    "another key than the id",
    { event: "m", data: 1, id: "i" },
    { headers: { ...JSON_TYPE, "idempotency-key": "key" } },
  ),
  json("a key for many", many(2), { headers: { ...JSON_TYPE, "idempotency-key": "key" } }),
  json(
    "a charset",
    { event: "message", data: 1, id: "c" },
    { headers: { "content-type": "Application/JSON; charset=UTF-8" } },
  ),
  json("a bad event", { event: "a b", data: 1 }),
  json("no message", null),
  json("deep data", { event: "log", data: JSON.parse("[".repeat(33) + "]".repeat(33)) as unknown }),
  json("large data", { event: "log", data: "a".repeat(65_535) }),
  { name: "no JSON", body: "{" },
  { name: "nothing but space", body: " " },
  { name: "no UTF-8", body: LATIN1 },
  { name: "a byte order mark", body: `\uFEFF${ONE}` },
  { name: "two byte order marks", body: `\uFEFF\uFEFF${ONE}` },
  json("an array", [...many(3), { event: "a b" }, null, item(0)]),
  json("an empty array", []),
  json("too many", many(101)),
  json("messages for rooms", [item(7), { ...item(8), room: "bad" }], { path: "/messages" }),
  json("no array for rooms", item(9), { path: "/messages" }),
  { name: "lines for rooms", path: "/messages", headers: LINES_TYPE, body: ONE },
  json("a room without a kind", item(10), { path: "/rooms/nowhere/messages" }),
  json("a room in plain letters", item(11), { path: "/rooms/chat:a/messages" }),
  { name: "lines", headers: LINES_TYPE, body: `${ONE}\n{\n\n{"event":"log","data":1,"id":"line"}` },
  { name: "lines with a key", headers: { ...LINES_TYPE, "idempotency-key": "key" }, body: ONE },
  { name: "a page on the list", headers: { ...JSON_TYPE, origin: LISTED }, body: ONE },
  { name: "a foreign page", headers: { ...JSON_TYPE, origin: "https://evil.tld" }, body: ONE },
  { name: "lines of a foreign page", headers: { ...LINES_TYPE, origin: "https://evil.tld" }, body: ONE },
  { name: "a token", headers: { ...JSON_TYPE, authorization: "Bearer secret" }, body: ONE },
  { name: "a wrong token", headers: { ...JSON_TYPE, authorization: "Bearer wrong" }, body: ONE },
  { name: "a store that is away", body: ONE, refusal: new HubError("unavailable", "away") },
  { name: "a bug", body: ONE, refusal: new Error("bug") },
  { name: "too large a body", body: ONE.padEnd(1_048_577), unusual: true },
  { name: "an empty body", body: "", unusual: true },
  {
    name: "a packed body",
    headers: { ...JSON_TYPE, "content-encoding": "gzip" },
    body: Uint8Array.from(gzipSync(ONE)),
    unusual: true,
  },
  { name: "packed lines", headers: { ...LINES_TYPE, "content-encoding": "gzip" }, body: ONE, unusual: true },
  {
    name: "another charset",
    headers: { "content-type": "application/json; charset=latin1" },
    body: ONE,
    unusual: true,
  },
  { name: "another type", headers: { "content-type": "text/plain" }, body: ONE, unusual: true },
  { name: "a query", path: `${ROOM}?x=1`, body: ONE, unusual: true },
  { name: "a slash at the end", path: `${ROOM}/`, body: ONE, unusual: true },
  { name: "broken percent-encoding", path: "/rooms/chat%3A%ff/messages", body: ONE, unusual: true },
  { name: "another path", path: "/rooms/chat%3Aa/message", body: ONE, unusual: true },
  { name: "a log entry", path: "/live/a", body: '{"message":"x"}', unusual: true },
];

/** What was answered, without what differs from one request or hub to the next. */
async function answerOf(hub: HttpHub, one: Case): Promise<unknown> {
  hub.refusal = one.refusal === undefined ? undefined : { error: one.refusal };
  const { path = ROOM, headers = JSON_TYPE, body } = one;
  const reply = await hub.request(path, { method: "POST", headers, body });
  hub.refusal = undefined;
  const { date: _date, "x-request-id": id, ...fixed } = Object.fromEntries(reply.headers);
  expect(id).toMatch(/^[\w-]{16}$/);
  const text = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
  return {
    status: reply.status,
    headers: fixed,
    body: text.replaceAll(/(?<="(epoch|cursor)":")\w+/g, "EPOCH"),
  };
}

describe("a post of messages", () => {
  const options: HttpHubOptions = {
    open: true,
    origins: [LISTED],
    authorize: (session) => session.token !== "wrong",
  };
  let plain: HttpHub;
  let behindExpress: HttpHub;
  let isPlain: boolean | undefined;

  beforeAll(async () => {
    plain = await startHttpHub({
      ...options,
      mount: (handler) => (request, response) => {
        isPlain = plainPosts(plain.context)(request, response);
        if (!isPlain) handler(request, response);
      },
    });
    behindExpress = await startHttpHub({
      ...options,
      mount: (handler) => (request, response) => {
        // No plain post has a query, and no route looks at it.
        request.url += request.url!.includes("?") ? "" : "?";
        handler(request, response);
      },
    });
  });

  afterAll(async () => {
    await plain.close();
    await behindExpress.close();
  });

  it.each(CASES)("has the same answer with and without Express: $name", async (one) => {
    const answer = await answerOf(plain, one);
    expect(isPlain).toBe(one.unusual !== true);
    expect(answer).toEqual(await answerOf(behindExpress, one));
  });

  it("is logged in the same words where it meets a bug", () => {
    expect(plain.failures).toHaveLength(1);
    expect(behindExpress.failures.map(({ error }) => error)).toEqual(
      plain.failures.map(({ error }) => error),
    );
  });

  it("closes its connection when the node stops, either way", async () => {
    const head = `POST ${ROOM} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(ONE)}\r\n\r\n`;
    for (const hub of [plain, behindExpress]) {
      hub.stop();
      expect(await hub.raw(head, ONE)).toMatch(/^HTTP\/1\.1 201 .*\r\nConnection: close\r\n/s);
    }
  });

  it("is cut off where its body does not come within 30 s, either way", async () => {
    const head = `POST ${ROOM} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n`;
    jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "queueMicrotask"] });
    try {
      for (const hub of [plain, behindExpress]) {
        const caller = connect(hub.port, "127.0.0.1");
        let ended = false;
        const closed = once(caller.on("error", () => undefined).resume(), "close").then(() => (ended = true));
        caller.write(head);
        await once(hub.server, "request");
        jest.advanceTimersByTime(29_999);
        await nextTurn();
        expect(ended).toBe(false);
        jest.advanceTimersByTime(1);
        await closed;
      }
    } finally {
      jest.useRealTimers();
    }
  });

  it("may come in pieces, and one that breaks off leaves nothing behind", async () => {
    const hub = await startHttpHub();
    const head = `POST ${ROOM} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(ONE)}\r\n\r\n`;
    try {
      const caller = connect(hub.port, "127.0.0.1");
      caller.write(head + ONE.slice(0, 9));
      await once(hub.server, "request");
      caller.destroy();
      const connections = (): Promise<number> =>
        new Promise((tell) => hub.server.getConnections((_, count) => tell(count)));
      await until(async () => (await connections()) === 0);
      expect(hub.appends).toEqual([]);
      expect(await hub.raw(head + ONE.slice(0, 9), ONE.slice(9))).toMatch(/^HTTP\/1\.1 201 /);
      expect(hub.failures).toEqual([]);
    } finally {
      await hub.close();
    }
  });

  it("that another program's parser has read is answered too, under any prefix", async () => {
    const hub = await startHttpHub({
      mount: (handler) => express().use("/hub", express.json(), handler),
    });
    try {
      const reply = await hub.post(`/hub${ROOM}`, { event: "message", data: 1 });
      expect(reply).toMatchObject({ status: 201, body: { room: "chat:a", offset: 1 } });
    } finally {
      await hub.close();
    }
  });

  it("needs no parser under a prefix", async () => {
    let url: string | undefined;
    const hub = await startHttpHub({
      mount: (handler) =>
        express().use("/hub", (request, response, next) => {
          url = request.url;
          handler(request, response, next);
        }),
    });
    try {
      const reply = await hub.post(`/hub${ROOM}`, { event: "message", data: 1 });
      expect(reply).toMatchObject({ status: 201, body: { room: "chat:a", offset: 1 } });
      expect(reply.headers.has("x-powered-by")).toBe(false);
      expect(url).toBe(ROOM);
    } finally {
      await hub.close();
    }
  });
});
