import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { errorReply, startHttpHub, type HttpHub, type Reply } from "../support/http-hub.ts";

let hub: HttpHub;

beforeAll(async () => {
  hub = await startHttpHub();
});

afterAll(async () => {
  // Whatever came in, nothing of it was a bug.
  expect(hub.failures).toEqual([]);
  await hub.close();
});

const MESSAGES = "/rooms/chat%3Ainputs/messages";
const MESSAGE = '{"event":"message","data":1}';
const BAD = errorReply("bad_request", 400);
const TOO_LARGE = errorReply("too_large", 413);

function send(
  body: string | Uint8Array<ArrayBuffer> | undefined,
  headers: Record<string, string> = { "content-type": "application/json" },
): Promise<Reply> {
  return hub.request(MESSAGES, { method: "POST", headers, ...(body === undefined ? {} : { body }) });
}

function nested(depth: number): unknown {
  return JSON.parse("[".repeat(depth) + "]".repeat(depth));
}

describe("a message", () => {
  test("goes only into a room with a good name", async () => {
    const rooms = ["lobby", "CHAT:a", "chat:", "chat:a b", "chat:<script>", "chat:a\u0000", ":a", "chat:💩"];
    for (const room of [...rooms.map(encodeURIComponent), "%", "chat%3A%ff", "chat%3A%c3%28", "%zz"]) {
      const reply = await hub.post(`/rooms/${room}/messages`, { event: "message", data: 1 });
      expect([room, reply]).toMatchObject([room, errorReply("bad_room", 400)]);
    }
    const longest = `chat:${"é".repeat(100)}`;
    const publish = (room: string) =>
      hub.post(`/rooms/${encodeURIComponent(room)}/messages`, { event: "message", data: 1 });
    expect((await publish(longest)).status).toBe(201);
    expect(await publish(`${longest}a`)).toMatchObject(errorReply("bad_room", 400));
    expect(await publish("chat:e\u0301")).toMatchObject({ body: { room: "chat:\u00e9" } });
  });

  test("has an event with a good name", async () => {
    const bad = [
      undefined,
      null,
      1,
      {},
      "",
      "1a",
      "a b",
      "connect",
      "newListener",
      "room:gap",
      "hub:closing",
    ];
    for (const event of [...bad, "a".repeat(101)]) {
      const reply = await hub.post(MESSAGES, { event, data: 1 });
      expect([event, reply]).toMatchObject([event, errorReply("bad_event", 400)]);
    }
    expect((await hub.post(MESSAGES, { event: "a".repeat(100), data: 1 })).status).toBe(201);
  });

  test("has data, and all other fields of their type", async () => {
    const more = [
      { id: 1 },
      { id: "" },
      { id: "a b" },
      { id: "a".repeat(65) },
      { id: null },
      { ephemeral: "yes" },
    ];
    for (const fields of [{ data: undefined }, ...more, { ephemeral: 1 }, { echo: "no" }, { echo: false }]) {
      expect([fields, await hub.post(MESSAGES, { event: "message", data: 1, ...fields })]).toMatchObject([
        fields,
        BAD,
      ]);
    }
    for (const body of [null, 1, "text", true]) expect(await hub.post(MESSAGES, body)).toMatchObject(BAD);
    expect((await hub.post(MESSAGES, { event: "message", data: null })).status).toBe(201);
  });

  test("takes 64 KiB of data and no byte more, counted as UTF-8", async () => {
    const publish = (data: string) => hub.post(MESSAGES, { event: "message", data });
    expect((await publish("a".repeat(65_534))).status).toBe(201);
    expect(await publish("a".repeat(65_535))).toMatchObject(TOO_LARGE);
    expect((await publish("é".repeat(32_767))).status).toBe(201);
    expect(await publish(`${"é".repeat(32_767)}a`)).toMatchObject(TOO_LARGE);
  });

  test("nests its data 32 deep and no deeper", async () => {
    expect((await hub.post(MESSAGES, { event: "message", data: nested(32) })).status).toBe(201);
    expect(await hub.post(MESSAGES, { event: "message", data: nested(33) })).toMatchObject(BAD);
    for (const depth of [10_000, 100_000]) {
      const data = "[".repeat(depth) + "]".repeat(depth);
      expect(await send(`{"event":"message","data":${data}}`)).toMatchObject(BAD);
      expect(await send("[".repeat(depth))).toMatchObject(BAD);
    }
  });

  test("may call a field __proto__, which pollutes nothing", async () => {
    const data = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    expect(
      (await send(`{"event":"message","data":${data},"__proto__":{"ephemeral":true}}`)).body,
    ).toHaveProperty("offset");
    expect(await send('{"__proto__":{"event":"message","data":1}}')).toMatchObject(
      errorReply("bad_event", 400),
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    const { body } = await hub.request(`${MESSAGES}?limit=1`);
    expect(JSON.stringify((body as { messages: { data: unknown }[] }).messages[0]!.data)).toBe(data);
  });

  test("arrives as it was sent, whatever text it is", async () => {
    const data = ["\u2028\u2029", "\u0000", "\ud800", "\ufeff", "\r\n", '"\\', "💩", ""];
    await hub.post(MESSAGES, { event: "message", data });
    const { body } = await hub.request(`${MESSAGES}?limit=1`);
    expect(body).toMatchObject({ messages: [{ data }] });
  });
});

describe("a body", () => {
  test("is JSON, and the reply to any other says so", async () => {
    const types = [
      "text/plain",
      "application/octet-stream",
      "multipart/form-data; boundary=x",
      "",
      "nonsense",
    ];
    for (const type of [...types, "application/x-www-form-urlencoded"]) {
      expect([type, await send(MESSAGE, { "content-type": type })]).toMatchObject([type, BAD]);
    }
    const reply = await send(new Uint8Array([0, 255, 1, 254]), { "content-type": "image/png" });
    expect(JSON.stringify(reply.body)).toContain("application/json");
    for (const body of ["{", "{'event':1}", "undefined", "[1,", `${MESSAGE}x`, " "]) {
      expect([body, await send(body)]).toMatchObject([body, BAD]);
    }
    for (const parameters of ["; charset=utf-8", '; charset="UTF-8"', ";;="]) {
      expect((await send(MESSAGE, { "content-type": `application/json${parameters}` })).status).toBe(201);
    }
  });

  test("is missed where there is none", async () => {
    expect(await send(undefined, {})).toMatchObject(BAD);
    expect(await send(undefined)).toMatchObject(BAD);
    expect(await send("")).toMatchObject(BAD);
    const raw = await hub.raw(`POST ${MESSAGES} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(raw).toContain("400 Bad Request");
  });

  test("is UTF-8", async () => {
    const latin1 = Buffer.from('{"event":"message","data":"é"}', "latin1");
    expect(await send(Uint8Array.from(latin1))).toMatchObject(BAD);
    const utf16 = Uint8Array.from(Buffer.from(MESSAGE, "utf16le"));
    for (const charset of ["utf-16", "utf-16le", "iso-8859-1", "nonsense"]) {
      expect(await send(utf16, { "content-type": `application/json; charset=${charset}` })).toMatchObject(
        BAD,
      );
    }
    expect((await send(`\ufeff${MESSAGE}`)).status).toBe(201);
  });

  test("has up to 1 MiB, unpacked too", async () => {
    const fill = (bytes: number): string => MESSAGE.padEnd(bytes, " ");
    const gzip = { "content-type": "application/json", "content-encoding": "gzip" };
    expect((await send(fill(1_048_576))).status).toBe(201);
    expect(await send(fill(1_048_577))).toMatchObject(TOO_LARGE);
    expect(await send(fill(10_485_760))).toMatchObject(TOO_LARGE);
    expect((await send(Uint8Array.from(gzipSync(fill(1_048_576))), gzip)).status).toBe(201);
    const bomb = Uint8Array.from(gzipSync(Buffer.alloc(104_857_600, " ")));
    expect(await send(bomb, gzip)).toMatchObject(TOO_LARGE);
    expect(await send("no gzip", gzip)).toMatchObject(BAD);
    expect(await send(MESSAGE, { ...gzip, "content-encoding": "rot13" })).toMatchObject(BAD);
  });
});

describe("a path that leads nowhere", () => {
  test("is answered as every error is", async () => {
    const lost: [string, string][] = [
      ["GET", "/nowhere"],
      ["PUT", MESSAGES],
      ["POST", "/rooms/chat%3Aa"],
      ["GET", "/rooms/chat:a/b/messages"],
      ["GET", "/Rooms"],
      ["OPTIONS", "/nowhere"],
      ["DELETE", "/rooms"],
      ["GET", "/..%2f..%2fetc%2fpasswd"],
      ["GET", "/%ff"],
    ];
    for (const [method, path] of lost) {
      const reply = await hub.request(path, { method });
      expect([method, path, reply]).toMatchObject([method, path, errorReply("not_found", 404)]);
      expect(reply.body).toMatchObject({ error: { retryable: false } });
      expect(reply.headers.has("retry-after")).toBe(false);
    }
  });
});
