import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseRoomName } from "../../shared/room-name.ts";
import { HttpTransport } from "./http-transport.ts";
import type { CheckedMessage } from "./message.ts";
import { Failure, type Outcome } from "./transport.ts";

const room = parseRoomName("chat:läb/1");
const message: CheckedMessage = {
  room,
  id: "one",
  keyed: true,
  event: "message",
  data: '{"text":"hi"}',
  ephemeral: false,
};
const ephemeral: CheckedMessage = { ...message, id: "two", event: "typing", data: "null", ephemeral: true };
const place = { epoch: "e", offset: 7, cursor: "e.7.one", duplicate: false };

let server: Server;
let url: string;
let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void;

beforeEach(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => answer(request, response, body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

function reply(status: number, body: unknown, headers: Record<string, string> = {}): void {
  answer = (_request, response) => {
    response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body));
  };
}

async function send(
  messages = [message],
  signal = new AbortController().signal,
): Promise<readonly Outcome[]> {
  return new HttpTransport(url, undefined).send(room, messages, signal);
}

async function failureOf(sent: Promise<readonly Outcome[]>): Promise<Failure> {
  const [outcome] = await sent;
  expect(outcome).toBeInstanceOf(Failure);
  return outcome as Failure;
}

describe("a request", () => {
  test("is an array of messages to the room's path, below the prefix, with the key", async () => {
    let seen: object = {};
    answer = (request, response, body) => {
      const { method, url: path, headers } = request;
      seen = {
        method,
        path,
        type: headers["content-type"],
        key: headers.authorization,
        body: JSON.parse(body) as unknown,
      };
      response.writeHead(201).end(JSON.stringify({ results: [place, { ephemeral: true }] }));
    };
    const transport = new HttpTransport(`${url}/hub`, "the-key");
    const outcomes = await transport.send(room, [message, ephemeral], new AbortController().signal);
    expect(seen).toEqual({
      method: "POST",
      path: "/hub/rooms/chat%3Al%C3%A4b%2F1/messages",
      type: "application/json",
      key: "Bearer the-key",
      body: [
        { id: "one", event: "message", data: { text: "hi" } },
        { id: "two", event: "typing", ephemeral: true, data: null },
      ],
    });
    expect(outcomes).toEqual([
      { room, id: "one", ...place },
      { room, id: "two", ephemeral: true },
    ]);
  });

  test("has an outcome for each message", async () => {
    const error = { code: "id_reused", message: "the id belongs to another message", retryable: false };
    reply(201, { results: [{ error }, place] });
    const [first, second] = await send([message, { ...message, id: "other" }]);
    expect(first).toMatchObject({ error: { code: "id_reused" }, unsent: false });
    expect(second).toMatchObject({ id: "other", offset: 7 });
  });
});

describe("an answer", () => {
  const body = (code: string): object => ({
    error: { code, message: "because", retryable: true, retryAfterMs: 70 },
  });
  test.each([
    ["unavailable", false, 503, body("unavailable")],
    ["rate_limited", true, 429, body("rate_limited")],
    ["store_full", true, 503, body("store_full")],
    ["internal", false, 500, body("internal")],
    ["forbidden", false, 403, body("forbidden")],
    ["unauthorized", false, 401, "<h1>who are you</h1>"],
    ["not_found", true, 404, "<h1>nothing</h1>"],
    ["too_large", false, 413, ""],
    ["rate_limited", true, 429, ""],
    ["bad_request", false, 418, ""],
    ["unavailable", false, 500, ""],
    ["unavailable", false, 502, "<h1>bad gateway</h1>"],
    ["unavailable", false, 503, ""],
    ["not_found", false, 200, "<h1>welcome</h1>"],
    ["not_found", false, 201, { results: [] }],
    ["not_found", false, 201, { results: [{}] }],
    ["not_found", false, 201, { results: [null] }],
  ])("becomes %s, unsent %p, from %d %j", async (code, unsent, status, content) => {
    reply(status, content);
    expect(await failureOf(send())).toMatchObject({ error: { code }, unsent });
  });

  test("without a body may still say when to come back", async () => {
    reply(429, "", { "retry-after": "7" });
    expect((await failureOf(send())).error.retryAfterMs).toBe(7_000);
  });

  test("that leads elsewhere is not followed, and the error says where it leads", async () => {
    reply(301, "", { location: "https://elsewhere.example/" });
    const { error, unsent } = await failureOf(send());
    expect(error).toMatchObject({ code: "not_found", retryable: false });
    expect(error.message).toMatch(/ROOMCAST_URL.*https:\/\/elsewhere\.example\//);
    expect(unsent).toBe(true);
  });
});

describe("no answer", () => {
  test("because nobody listens is `unavailable`, and certainly nothing was sent", async () => {
    const port = await freedPort();
    const sent = new HttpTransport(`http://127.0.0.1:${port}`, undefined).send(room, [message], never());
    const { error, unsent } = await failureOf(sent);
    expect(error).toMatchObject({ code: "unavailable" });
    expect(error.message).toMatch(/127\.0\.0\.1.*ROOMCAST_URL.*ECONNREFUSED/);
    expect(unsent).toBe(true);
  });

  test("because the connection was reset leaves the outcome unknown", async () => {
    answer = (request) => void request.socket.resetAndDestroy();
    expect(await failureOf(send())).toMatchObject({ error: { code: "unavailable" }, unsent: false });
  });

  test("because it broke off half-way leaves the outcome unknown", async () => {
    answer = (request, response) => {
      response.writeHead(201, { "content-length": "100" }).write("{");
      setImmediate(() => request.socket.destroy());
    };
    expect(await failureOf(send())).toMatchObject({ error: { code: "unavailable" }, unsent: false });
  });

  test("because nobody waits any more ends the request", async () => {
    const controller = new AbortController();
    let closed: Promise<unknown> = Promise.resolve();
    answer = (request) => {
      closed = once(request.socket, "close");
      controller.abort();
    };
    const { error, unsent } = await failureOf(send([message], controller.signal));
    expect(error).toMatchObject({ code: "unavailable" });
    expect(error.message).toContain("did not answer in time");
    expect(unsent).toBe(false);
    await closed;
  });
});

function never(): AbortSignal {
  return new AbortController().signal;
}

async function freedPort(): Promise<number> {
  const other = createServer();
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  other.close();
  await once(other, "close");
  return port;
}
