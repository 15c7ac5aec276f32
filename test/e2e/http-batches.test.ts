import { once } from "node:events";
import { request as startRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { HubError, type ErrorCode } from "../../shared/errors.ts";
import { errorReply, startHttpHub, type HttpHub, type Reply } from "../support/http-hub.ts";
import { until } from "../support/wait.ts";

let hub: HttpHub;

beforeEach(async () => {
  hub = await startHttpHub();
});

afterEach(async () => {
  await hub.close();
});

const MESSAGES = "/rooms/stream%3Abatches/messages";
const NDJSON = { "content-type": "application/x-ndjson" };

type Result = {
  readonly offset?: number;
  readonly room?: string;
  readonly error?: { readonly code: ErrorCode };
};

/** Of each item its offset, or the code of its error. */
function outcomesOf(results: readonly Result[]): (number | ErrorCode)[] {
  return results.map(({ offset, error }) => error?.code ?? offset!);
}

function resultsOf(reply: Reply): readonly Result[] {
  return (reply.body as { results: readonly Result[] }).results;
}

function message(data: unknown, fields: object = {}): object {
  return { event: "log", data, ...fields };
}

async function position(): Promise<unknown> {
  const { body } = await hub.request("/rooms/stream%3Abatches");
  return (body as { position: { offset: number } }).position.offset;
}

describe("an array", () => {
  test("answers each item by itself, in its place, and goes to the store as one", async () => {
    const items = [
      message(1),
      { event: "bad event", data: 1 },
      message(2, { id: "x" }),
      null,
      message(2, { id: "x" }),
    ];
    const reply = await hub.post(MESSAGES, [
      ...items,
      message(3, { id: "x" }),
      message("a".repeat(65_535)),
      message(4),
    ]);
    expect(reply.status).toBe(201);
    expect(outcomesOf(resultsOf(reply))).toEqual([
      1,
      "bad_event",
      2,
      "bad_request",
      2,
      "id_reused",
      "too_large",
      3,
    ]);
    expect(resultsOf(reply)[1]).toMatchObject({ error: { retryable: false } });
    expect(hub.appends).toEqual([5]);
  });

  test("has up to 100 items and 1 MiB", async () => {
    const items = (count: number) => Array.from({ length: count }, (_, i) => message(i));
    expect(resultsOf(await hub.post(MESSAGES, items(100)))).toHaveLength(100);
    expect(await hub.post(MESSAGES, items(101))).toMatchObject(errorReply("too_large", 413));
    expect(await hub.post(MESSAGES, [])).toMatchObject({ status: 201, body: { results: [] } });
    const large = JSON.stringify(Array.from({ length: 16 }, () => message("a".repeat(65_000))));
    const send = (bytes: number) =>
      hub.request(MESSAGES, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: large.padEnd(bytes, " "),
      });
    expect(outcomesOf(resultsOf(await send(1_048_576)))).toHaveLength(16);
    expect(await send(1_048_577)).toMatchObject(errorReply("too_large", 413));
    expect(await position()).toBe(116);
  });

  test("has no single Idempotency-Key", async () => {
    const key = { "idempotency-key": "k" };
    expect(await hub.post(MESSAGES, [message(1)], key)).toMatchObject(errorReply("bad_request", 400));
    const line = { method: "POST", headers: { ...NDJSON, ...key }, body: JSON.stringify(message(1)) };
    expect(await hub.request(MESSAGES, line)).toMatchObject(errorReply("bad_request", 400));
    const many = [{ room: "stream:a", ...message(1) }];
    expect(await hub.post("/messages", many, key)).toMatchObject(errorReply("bad_request", 400));
  });
});

describe("messages for many rooms", () => {
  test("are answered in their order, and keep it in each room", async () => {
    const rooms = ["stream:a", "stream:b", "chat:a", "bad room"];
    const items = Array.from({ length: 100 }, (_, i) => ({ room: rooms[i % 4], ...message(i) }));
    const reply = await hub.post("/messages", items);
    expect(reply.status).toBe(201);
    resultsOf(reply).forEach((result, i) => {
      if (i % 4 === 3) expect(result).toMatchObject({ error: { code: "bad_room" } });
      else expect(result).toMatchObject({ room: rooms[i % 4], offset: Math.floor(i / 4) + 1 });
    });
    expect(hub.appends).toEqual([25, 25, 25]);
    const { body } = await hub.request("/rooms/stream%3Ab/messages?limit=25");
    const { messages } = body as { messages: { data: number }[] };
    expect(messages.map(({ data }) => data)).toEqual(Array.from({ length: 25 }, (_, i) => i * 4 + 1));
  });

  test("of one room fail without the others", async () => {
    hub.refusal = { error: new HubError("unavailable", "away"), room: "stream:b" };
    const rooms = ["stream:a", "stream:b", "stream:a", "stream:b"];
    const reply = await hub.post(
      "/messages",
      rooms.map((room) => ({ room, ...message(1) })),
    );
    expect(outcomesOf(resultsOf(reply))).toEqual([1, "unavailable", 2, "unavailable"]);
    hub.refusal = { error: new Error("bug"), room: "stream:b" };
    const second = await hub.post(
      "/messages",
      rooms.map((room) => ({ room, ...message(1) })),
    );
    expect(outcomesOf(resultsOf(second))).toEqual([3, "internal", 4, "internal"]);
    expect(hub.failures).toEqual([
      { what: `request ${second.headers.get("x-request-id")}`, error: hub.refusal.error },
    ]);
  });

  test("are an array of up to 100", async () => {
    const items = (count: number) =>
      Array.from({ length: count }, () => ({ room: "stream:a", ...message(1) }));
    expect(await hub.post("/messages", items(101))).toMatchObject(errorReply("too_large", 413));
    expect((await hub.post("/messages", items(100))).status).toBe(201);
    expect(await hub.post("/messages", items(1)[0])).toMatchObject(errorReply("bad_request", 400));
    const lines = { method: "POST", headers: NDJSON, body: "{}" };
    expect(await hub.request("/messages", lines)).toMatchObject(errorReply("bad_request", 400));
  });
});

describe("NDJSON", () => {
  async function sendLines(body: string | Uint8Array<ArrayBuffer>): Promise<readonly Result[]> {
    const reply = await hub.request(MESSAGES, { method: "POST", headers: NDJSON, body });
    expect(reply.status).toBe(201);
    expect(reply.headers.get("content-type")).toBe("application/x-ndjson");
    const text = reply.body as string;
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Result);
  }

  test("is answered line by line, in order, over 5,000 lines of which some are bad", async () => {
    const bad = [
      "{",
      '{"event":"bad event","data":1}',
      '{"event":"log"}',
      `{"event":"log","data":"${"a".repeat(65_535)}"}`,
    ];
    const codes: ErrorCode[] = ["bad_request", "bad_event", "bad_request", "too_large"];
    const lines: string[] = [];
    const expected: (number | ErrorCode)[] = [];
    let offset = 0;
    for (let i = 0; i < 5_000; i += 1) {
      const fault = i % 50 === 7 ? Math.floor(i / 50) % bad.length : undefined;
      lines.push(fault === undefined ? JSON.stringify(message(i)) : bad[fault]!);
      expected.push(fault === undefined ? (offset += 1) : codes[fault]!);
    }
    expect(outcomesOf(await sendLines(lines.join("\n")))).toEqual(expected);
    expect(Math.max(...hub.appends)).toBeLessThanOrEqual(100);
    expect(hub.appends.length).toBeLessThan(1_000);
  });

  test("skips blank lines, takes CRLF and a last line without an end", async () => {
    const line = JSON.stringify(message(1));
    expect(outcomesOf(await sendLines(`\n${line}\r\n\r\n  \n${line}`))).toEqual([1, 2]);
    expect(await sendLines("")).toEqual([]);
  });

  test("refuses one line that is no UTF-8, or too long, and goes on", async () => {
    const line = JSON.stringify(message("é"));
    const escaped = `{"event":"log","data":"${String.raw`\u00e9`.repeat(32_767)}"}`;
    const body = [
      line,
      Buffer.from(line, "latin1"),
      "x".repeat(300_000),
      escaped,
      "{".repeat(2_000_000),
      line,
    ];
    const bytes = Buffer.concat(body.flatMap((text) => [Buffer.from(text as string), Buffer.from("\n")]));
    const outcomes = [1, "bad_request", "too_large", 2, "too_large", 3];
    expect(outcomesOf(await sendLines(Uint8Array.from(bytes)))).toEqual(outcomes);
  });

  test("gives every line of a batch that fails its error, and goes on", async () => {
    hub.refusal = { error: new HubError("unavailable", "away") };
    const body = `${JSON.stringify(message(1))}\n{\n${JSON.stringify(message(2))}\n`;
    expect(outcomesOf(await sendLines(body))).toEqual(["unavailable", "bad_request", "unavailable"]);
    hub.refusal = { error: new Error("bug") };
    expect(outcomesOf(await sendLines(body))).toEqual(["internal", "bad_request", "internal"]);
    expect(hub.failures).toHaveLength(1);
  });

  test("is refused as a whole before its first line", async () => {
    const init = { method: "POST", headers: NDJSON, body: "{}" };
    expect(await hub.request("/rooms/nowhere/messages", init)).toMatchObject(errorReply("bad_room", 400));
    const gzip = { ...init, headers: { ...NDJSON, "content-encoding": "gzip" } };
    expect(await hub.request(MESSAGES, gzip)).toMatchObject(errorReply("bad_request", 400));
  });

  describe("that goes on", () => {
    let upload: ClientRequest;

    async function firstAnswer(): Promise<AsyncIterator<string>> {
      upload = startRequest(`${hub.url}${MESSAGES}`, { method: "POST", headers: NDJSON });
      upload.on("error", () => undefined);
      upload.write(`${JSON.stringify(message(1))}\n`);
      const [response] = (await once(upload, "response")) as [IncomingMessage];
      response.on("error", () => undefined);
      return createInterface(response)[Symbol.asyncIterator]();
    }

    async function next(answers: AsyncIterator<string>): Promise<unknown> {
      return JSON.parse(String((await answers.next()).value)) as unknown;
    }

    test("is answered while it does", async () => {
      const answers = await firstAnswer();
      expect(await next(answers)).toMatchObject({ offset: 1 });
      upload.write(JSON.stringify(message(2)));
      upload.write("\n");
      expect(await next(answers)).toMatchObject({ offset: 2 });
      upload.end(JSON.stringify(message(3)));
      expect(await next(answers)).toMatchObject({ offset: 3 });
      expect((await answers.next()).done).toBe(true);
    });

    test("and breaks off leaves nothing behind, not even its half line", async () => {
      const answers = await firstAnswer();
      expect(await next(answers)).toMatchObject({ offset: 1 });
      await new Promise((sent) => upload.write(JSON.stringify(message(2)), sent));
      upload.destroy();
      await until(
        () => new Promise<boolean>((tell) => hub.server.getConnections((_, count) => tell(count === 0))),
      );
      expect(await position()).toBe(1);
      expect(hub.failures).toEqual([]);
    });
  });
});
