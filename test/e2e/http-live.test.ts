import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { errorReply, startHttpHub, type HttpHub, type Reply } from "../support/http-hub.ts";

let hub: HttpHub;

beforeEach(async () => {
  hub = await startHttpHub();
});

afterEach(async () => {
  expect(hub.failures).toEqual([]);
  await hub.close();
});

const BAD = errorReply("bad_request", 400);
const TIMESTAMP = "2025-01-31T12:00:00.123456+00:00";

function form(fields: Record<string, string> | string): Promise<Reply> {
  const body = new URLSearchParams(fields);
  return hub.request("/live/build-42", { method: "POST", body });
}

async function entries(): Promise<readonly unknown[]> {
  const { body } = await hub.request("/rooms/stream%3Abuild-42/messages");
  return (body as { messages: { event: string; data: unknown }[] }).messages.map(({ event, data }) => [
    event,
    data,
  ]);
}

describe("a log entry", () => {
  test("comes as a form or as JSON and goes into the stream as it is", async () => {
    const entry = { message: "hé & +llo\n", level: "ERROR", program: "web", timestamp: TIMESTAMP };
    expect(await form(entry)).toMatchObject({ status: 204, body: "" });
    expect(await hub.post("/live/build-42", entry)).toMatchObject({ status: 204, body: "" });
    expect(await entries()).toEqual([
      ["log", entry],
      ["log", entry],
    ]);
  });

  test("has defaults for all that it lacks", async () => {
    const before = Date.now();
    expect((await form({ message: "hi" })).status).toBe(204);
    expect((await hub.request("/live/build-42", { method: "POST" })).status).toBe(204);
    expect((await hub.post("/live/build-42", {})).status).toBe(204);
    const timestamp: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const defaults = { message: "", level: "INFO", program: "api", timestamp };
    expect(await entries()).toEqual([
      ["log", { ...defaults, message: "hi" }],
      ["log", defaults],
      ["log", defaults],
    ]);
    const [[, data]] = (await entries()) as [[string, { timestamp: string }]];
    expect(Date.parse(data.timestamp)).toBeGreaterThanOrEqual(before);
  });

  test("is text in every field, of a length that a line has", async () => {
    const json = [{ message: 1 }, { level: ["a"] }, { program: {} }, { timestamp: 1 }, [], null, "text"];
    for (const body of [...json, { level: "a".repeat(33) }, { program: "a".repeat(201) }]) {
      expect([body, await hub.post("/live/build-42", body)]).toMatchObject([body, BAD]);
    }
    expect(await form("message=a&message=b")).toMatchObject(BAD);
    expect((await form({ level: "a".repeat(32), program: "a".repeat(200) })).status).toBe(204);
    expect(await form({ message: "a".repeat(65_536) })).toMatchObject(errorReply("too_large", 413));
    expect(await form({ message: "a".repeat(1_048_576) })).toMatchObject(errorReply("too_large", 413));
  });

  test("says when in ISO 8601", async () => {
    for (const timestamp of [
      "2025-01-31T12:00:00Z",
      "2024-02-29T12:00:00.5+02:00",
      "2025-01-31T12:00:00.123456",
    ]) {
      expect([timestamp, (await form({ timestamp })).status]).toEqual([timestamp, 204]);
    }
    for (const timestamp of [
      "",
      "yesterday",
      "1738324800",
      "2025-02-29T12:00:00Z",
      "2025-01-31",
      "31.01.2025 12:00",
    ]) {
      expect([timestamp, await form({ timestamp })]).toMatchObject([timestamp, BAD]);
    }
  });

  test("is of a kind that the reply names where it can't be read", async () => {
    const send = (body: string | Uint8Array<ArrayBuffer>, type: string) =>
      hub.request("/live/build-42", { method: "POST", headers: { "content-type": type }, body });
    expect(await send("hi", "text/plain")).toMatchObject(BAD);
    expect(await send("{", "application/json")).toMatchObject(BAD);
    const latin1 = Uint8Array.from(Buffer.from("message=é", "latin1"));
    expect(await send(latin1, "application/x-www-form-urlencoded")).toMatchObject(BAD);
    expect(await send("message=a", "application/x-www-form-urlencoded; charset=iso-8859-1")).toMatchObject(
      BAD,
    );
    expect(await entries()).toEqual([]);
  });

  test("goes into streams only", async () => {
    for (const id of ["chat%3Alobby", "stream%3Abuild", "a%20b", "%ff", "a".repeat(201)]) {
      const init = { method: "POST", body: new URLSearchParams({ message: "x" }) };
      expect([id, await hub.request(`/live/${id}`, init)]).toMatchObject([id, errorReply("bad_room", 400)]);
      expect([id, await hub.request(`/live/${id}`)]).toMatchObject([id, errorReply("bad_room", 400)]);
    }
  });
});

describe("a log's page", () => {
  test("is where the address for its entries leads", async () => {
    const reply = await hub.request("/live/a%2Fb%2B%C3%A9");
    expect(reply.status).toBe(302);
    expect(reply.headers.get("location")).toBe("/stream/a%2Fb%2B%C3%A9");
    const page = await hub.request("/stream/a%2Fb%2B%C3%A9");
    expect(page).toMatchObject({ status: 200, body: "<title>roomcast</title>" });
    expect(page.headers.get("content-type")).toContain("text/html");
    expect((await hub.request("/")).body).toBe("<title>roomcast</title>");
    expect(await hub.request("/main.js")).toMatchObject({ status: 200, body: "export {};" });
  });
});
