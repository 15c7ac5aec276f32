import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { HubError } from "../../shared/errors.ts";
import { errorReply, startHttpHub, type HttpHub } from "../support/http-hub.ts";

let hub: HttpHub;

beforeEach(async () => {
  hub = await startHttpHub();
});

afterEach(async () => {
  await hub.close();
});

const MESSAGES = "/rooms/chat%3Alobby/messages";

interface Page {
  readonly messages: readonly { readonly offset: number }[];
  readonly cursor: string;
}

async function offsets(query: string): Promise<readonly number[]> {
  const { body } = await hub.request(`${MESSAGES}${query}`);
  return (body as Page).messages.map(({ offset }) => offset);
}

async function publish(count: number): Promise<void> {
  await hub.post(
    MESSAGES,
    Array.from({ length: count }, (_, i) => ({ event: "message", data: i + 1 })),
  );
}

describe("a published message", () => {
  test("is answered with its position and stands in the history", async () => {
    const reply = await hub.post(MESSAGES, { event: "message", data: { text: "hi" }, id: "m-1" });
    const { epoch } = reply.body as { epoch: string };
    expect(reply).toMatchObject({
      status: 201,
      body: { room: "chat:lobby", id: "m-1", epoch, offset: 1, cursor: `${epoch}.1.m-1`, duplicate: false },
    });
    const history = await hub.request(MESSAGES);
    const time: unknown = expect.any(Number);
    expect(history).toMatchObject({
      status: 200,
      body: { cursor: `${epoch}.1.m-1`, firstOffset: 1, complete: true },
    });
    expect((history.body as Page).messages).toEqual([
      { room: "chat:lobby", id: "m-1", epoch, offset: 1, time, event: "message", data: { text: "hi" } },
    ]);
  });

  test("has no place if it is ephemeral", async () => {
    const reply = await hub.post(MESSAGES, { event: "typing", data: null, ephemeral: true });
    const id: unknown = expect.any(String);
    expect(reply).toMatchObject({ status: 201, body: { room: "chat:lobby", id, ephemeral: true } });
    expect(await offsets("")).toEqual([]);
  });

  test("takes its id from Idempotency-Key, and sent again is the same message", async () => {
    const send = (data: unknown, id?: string) =>
      hub.post(
        MESSAGES,
        { event: "message", data, ...(id === undefined ? {} : { id }) },
        { "idempotency-key": "k" },
      );
    expect(await send(1)).toMatchObject({ status: 201, body: { id: "k", offset: 1, duplicate: false } });
    expect(await send(1, "k")).toMatchObject({ status: 201, body: { id: "k", offset: 1, duplicate: true } });
    expect(await send(2)).toMatchObject(errorReply("id_reused", 409));
    expect(await send(1, "other")).toMatchObject(errorReply("bad_request", 400));
  });

  test("can't set what only the hub knows", async () => {
    const forged = {
      offset: 77,
      epoch: "mine",
      time: 1,
      from: { user: "admin", name: "admin" },
      room: "chat:other",
    };
    expect(await hub.post(MESSAGES, { event: "message", data: 1, ...forged })).toMatchObject({
      status: 201,
      body: { room: "chat:lobby", offset: 1 },
    });
    const { body } = await hub.request(MESSAGES);
    expect((body as Page).messages[0]).not.toHaveProperty("from");
  });

  test("is the business of whom authorize lets, who sees the Bearer token", async () => {
    await hub.close();
    const seen: unknown[] = [];
    hub = await startHttpHub({
      authorize: ({ token, from, rateLimit }, right) => {
        seen.push([token, from, rateLimit, right]);
        return token === "secret";
      },
    });
    const message = { event: "message", data: 1 };
    expect(await hub.post(MESSAGES, message)).toMatchObject(errorReply("forbidden", 403));
    expect((await hub.post(MESSAGES, message, { authorization: "Bearer secret" })).status).toBe(201);
    expect(await hub.request(MESSAGES)).toMatchObject(errorReply("forbidden", 403));
    expect(await hub.request(MESSAGES, { method: "DELETE" })).toMatchObject(errorReply("forbidden", 403));
    expect(seen.slice(0, 2)).toEqual([
      [undefined, undefined, undefined, "publish"],
      ["secret", undefined, undefined, "publish"],
    ]);
  });
});

describe("the history", () => {
  test("is read after and before an offset or a cursor, page by page", async () => {
    await publish(5);
    const { cursor } = (await hub.request(`${MESSAGES}?before=4&limit=1`)).body as Page;
    expect(await offsets("?limit=2")).toEqual([4, 5]);
    expect(await offsets("?after=1&limit=2")).toEqual([2, 3]);
    expect(await offsets("?before=4&limit=2")).toEqual([2, 3]);
    expect(await offsets(`?after=${cursor}`)).toEqual([]);
    expect(await offsets(`?before=${encodeURIComponent(cursor)}`)).toEqual([1, 2, 3, 4]);
    expect(await hub.request(`${MESSAGES}?after=elsewhere.2.x`)).toMatchObject({
      body: { recovered: false, reason: "epoch_changed" },
    });
  });

  test("is refused for questions that it would have to guess", async () => {
    const bad = [
      "after=1&before=2",
      "after=1&after=2",
      "after[x]=1",
      "since=1",
      "after=-1",
      "limit=0",
      "limit=301",
    ];
    for (const query of [...bad, "limit=x", "after=", "limit=1.5", "after=1%00"]) {
      expect([query, await hub.request(`${MESSAGES}?${query}`)]).toMatchObject([
        query,
        errorReply("bad_request", 400),
      ]);
    }
    expect((await hub.request(`${MESSAGES}?limit=300`)).status).toBe(200);
  });

  test("goes, while the offset goes on", async () => {
    await publish(2);
    expect(await hub.request(MESSAGES, { method: "DELETE" })).toMatchObject({ status: 204, body: "" });
    expect(await offsets("")).toEqual([]);
    await publish(1);
    expect(await offsets("")).toEqual([3]);
  });
});

describe("rooms", () => {
  test("are described by name, whether they have messages or not", async () => {
    await publish(2);
    expect(await hub.request("/rooms/chat%3Alobby")).toMatchObject({
      status: 200,
      body: { room: "chat:lobby", position: { offset: 2 }, options: { messages: 1_000 } },
    });
    expect(await hub.request(`/rooms/${encodeURIComponent("stream:a/b+c")}`)).toMatchObject({
      status: 200,
      body: { room: "stream:a/b+c", position: { offset: 0, id: "" } },
    });
  });

  test("are listed by prefix, page by page", async () => {
    const names = ["chat:a", "chat:b", "chat:é", "stream:a"];
    await hub.post(
      "/messages",
      names.map((room) => ({ room, event: "log", data: 1 })),
    );
    expect((await hub.request("/rooms")).body).toEqual({
      rooms: names.map((room) => ({ room, offset: 1, connections: 0, members: 0 })),
    });
    const found: unknown[] = [];
    let next = "";
    do {
      const page = await hub.request(`/rooms?prefix=chat%3A&limit=1${next}`);
      const { rooms, cursor } = page.body as { rooms: { room: string }[]; cursor?: string };
      found.push(...rooms.map(({ room }) => room));
      next = cursor === undefined ? "" : `&cursor=${cursor}`;
    } while (next !== "");
    expect(found).toEqual(["chat:a", "chat:b", "chat:é"]);
    for (const query of [
      "limit=0",
      "limit=301",
      "limit=",
      "cursor=%21",
      "cursor=",
      "prefix=a&prefix=b",
      "page=2",
    ]) {
      expect([query, await hub.request(`/rooms?${query}`)]).toMatchObject([
        query,
        errorReply("bad_request", 400),
      ]);
    }
  });
});

describe("a node", () => {
  test("is healthy while it runs, and ready while it can work", async () => {
    expect(await hub.request("/healthz")).toMatchObject({ status: 200, body: { status: "ok" } });
    expect(await hub.request("/readyz")).toMatchObject({ status: 200, body: { status: "ready" } });
    hub.refusal = { error: new Error("ECONNREFUSED 10.0.0.1") };
    const reply = await hub.request("/readyz");
    expect(reply).toMatchObject(errorReply("unavailable", 503));
    expect(JSON.stringify(reply.body)).not.toContain("10.0.0.1");
    expect(reply.headers.get("retry-after")).toBe("1");
    hub.refusal = undefined;
    hub.stop();
    const last = await hub.request("/readyz");
    expect(last).toMatchObject(errorReply("unavailable", 503));
    expect(last.headers.get("connection")).toBe("close");
    expect((await hub.request("/healthz")).status).toBe(200);
  });

  test("says so, and when to come back, while its store is away", async () => {
    hub.refusal = {
      error: new HubError("unavailable", "Redis did not answer in time", { retryAfterMs: 1_200 }),
    };
    const message = { event: "message", data: 1 };
    const replies = [
      await hub.post(MESSAGES, message),
      await hub.post(MESSAGES, [message, message]),
      await hub.request(MESSAGES),
      await hub.request(MESSAGES, { method: "DELETE" }),
      await hub.request("/rooms"),
      await hub.request("/rooms/chat%3Alobby"),
      await hub.post("/live/build", { message: "x" }),
    ];
    for (const reply of replies) {
      const { body, headers } = reply;
      expect(reply).toMatchObject(errorReply("unavailable", 503));
      expect(body).toMatchObject({ error: { retryable: true, retryAfterMs: 1_200 } });
      expect(headers.get("retry-after")).toBe("2");
    }
    expect(hub.failures).toEqual([]);
  });

  test("keeps a bug's text to itself and its log, under the request's id", async () => {
    hub.refusal = { error: new Error("secret detail") };
    const reply = await hub.post(MESSAGES, { event: "message", data: 1 });
    expect(reply).toMatchObject(errorReply("internal", 500));
    expect(JSON.stringify(reply.body)).not.toContain("secret");
    const id = reply.headers.get("x-request-id");
    expect(hub.failures).toEqual([{ what: `request ${id}`, error: hub.refusal.error }]);
  });
});
