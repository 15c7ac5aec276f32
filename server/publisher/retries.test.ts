import { describe, expect, test } from "@jest/globals";
import { HubError, type ErrorCode } from "../../shared/errors.ts";
import { ScriptedTransport, scriptedPublisher } from "../../test/support/scripted-transport.ts";
import { Failure } from "./transport.ts";

const ROOM = "chat:lobby";

function failure(code: ErrorCode, options: { unsent?: boolean; retryAfterMs?: number } = {}): Failure {
  const { unsent = true, retryAfterMs } = options;
  return new Failure(
    new HubError(code, `scripted ${code}`, retryAfterMs === undefined ? {} : { retryAfterMs }),
    unsent,
  );
}

async function errorOf(promise: Promise<unknown>): Promise<HubError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HubError);
  return error as HubError;
}

async function msOf(promise: Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await promise.catch(() => {});
  return performance.now() - begin;
}

describe("a retry", () => {
  test.each(["unavailable", "internal"] as const)("follows %s until the message is stored", async (code) => {
    const transport = new ScriptedTransport(failure(code), failure(code, { unsent: false }), failure(code));
    const reply = await scriptedPublisher(transport).emit(ROOM, "message", "a");
    expect(reply).toMatchObject({ room: ROOM, offset: 1, duplicate: false });
    expect(transport.tries).toHaveLength(4);
    expect(transport.stored(ROOM)).toEqual(['"a"']);
  });

  test("has the first try's id, so a lost answer makes no second message", async () => {
    const transport = new ScriptedTransport("lose", "lose");
    const reply = await scriptedPublisher(transport).emit(ROOM, "message", "a");
    expect(reply).toMatchObject({ offset: 1, duplicate: true });
    expect(transport.ids(ROOM)).toEqual([reply.id]);
  });

  test("says that it is one only if an earlier try may have stored the message", async () => {
    const transport = new ScriptedTransport(failure("unavailable"), "lose");
    const publisher = scriptedPublisher(transport);
    await publisher.emit(ROOM, "message", "a");
    expect(transport.sentBefore).toEqual([[false], [false], [true]]);
    transport.sentBefore.length = 0;
    // The log remembers an id that the caller has given.
    transport.script("lose");
    await publisher.emit(ROOM, "message", "b", { id: "mine" });
    expect(transport.sentBefore).toEqual([[false], [false]]);
  });

  test("by another call, with the id that the error named, is one too", async () => {
    let answer = (): void => undefined;
    const transport = new ScriptedTransport(new Promise<void>((resolve) => (answer = resolve)));
    const publisher = scriptedPublisher(transport, { timeoutMs: 40 });
    const error = await errorOf(publisher.emit(ROOM, "message", "a"));
    const id = /the id (\S+)/.exec(error.message)![1]!;
    answer();
    await publisher.emit("chat:other", "message", "a", { id });
    await publisher.emit(ROOM, "message", "a", { id });
    await publisher.emit(ROOM, "message", "a", { id });
    expect(transport.sentBefore).toEqual([[false], [false], [true], [false]]);
  });

  test("keeps the caller's id", async () => {
    const transport = new ScriptedTransport("lose");
    const reply = await scriptedPublisher(transport).emit(ROOM, "message", "a", { id: "mine" });
    expect(reply.id).toBe("mine");
    expect(transport.ids(ROOM)).toEqual(["mine"]);
  });

  test.each([
    "bad_request",
    "bad_room",
    "bad_event",
    "unauthorized",
    "forbidden",
    "bad_origin",
    "not_found",
    "id_reused",
    "name_taken",
    "too_large",
    "too_many_rooms",
  ] as const)("never follows %s", async (code) => {
    const transport = new ScriptedTransport(failure(code));
    const error = await errorOf(scriptedPublisher(transport).emit(ROOM, "message", "a"));
    expect(error.code).toBe(code);
    expect(transport.tries).toHaveLength(1);
  });

  test("waits a random time up to 50, 100, 200 … ms", async () => {
    const transport = new ScriptedTransport(...[1, 2, 3].map(() => failure("unavailable")));
    const publisher = scriptedPublisher(transport, { random: () => 0.999 });
    const ms = await msOf(publisher.emit(ROOM, "message", "a"));
    expect(ms).toBeGreaterThanOrEqual(340);
    expect(ms).toBeLessThan(1_000);
  });

  test.each(["rate_limited", "store_full"] as const)("waits as long as %s asks", async (code) => {
    const transport = new ScriptedTransport(failure(code, { retryAfterMs: 150 }));
    expect(await msOf(scriptedPublisher(transport).emit(ROOM, "message", "a"))).toBeGreaterThanOrEqual(145);
    expect(transport.stored(ROOM)).toHaveLength(1);
  });

  test("is given up at once when the pause that the hub asks for does not fit", async () => {
    const transport = new ScriptedTransport(failure("rate_limited", { retryAfterMs: 10_000 }));
    const begin = performance.now();
    const error = await errorOf(scriptedPublisher(transport).emit(ROOM, "message", "a"));
    expect(performance.now() - begin).toBeLessThan(1_000);
    expect(error.code).toBe("rate_limited");
    expect(error.message).toContain("it was not sent");
  });

  test("survives a transport that throws", async () => {
    const transport = new ScriptedTransport(() => {
      throw new TypeError("a bug");
    });
    await scriptedPublisher(transport).emit(ROOM, "message", "a");
    expect(transport.tries).toHaveLength(2);
  });

  test("of an ephemeral message comes only if that certainly was not sent", async () => {
    const unsent = new ScriptedTransport(
      failure("unavailable"),
      failure("rate_limited", { retryAfterMs: 1 }),
    );
    const reply = await scriptedPublisher(unsent).emit(ROOM, "typing", null, { ephemeral: true });
    expect(reply).toEqual({ room: ROOM, id: reply.id, ephemeral: true });
    expect(unsent.tries).toHaveLength(3);

    const unsure = new ScriptedTransport(failure("unavailable", { unsent: false }));
    const error = await errorOf(scriptedPublisher(unsure).emit(ROOM, "typing", null, { ephemeral: true }));
    expect(error.code).toBe("unavailable");
    expect(unsure.tries).toHaveLength(1);
  });
});

describe("a time-out", () => {
  const never = new Promise<never>(() => {});

  test("rejects with `unavailable` and names the id to try again with", async () => {
    const transport = new ScriptedTransport(never);
    const publisher = scriptedPublisher(transport, { timeoutMs: 60 });
    const error = await errorOf(publisher.emit(ROOM, "message", "a", { id: "mine" }));
    expect(error.code).toBe("unavailable");
    expect(error.message).toMatch(/no answer within 60 ms.*may be stored.*mine/);
    expect(transport.signals[0]!.aborted).toBe(true);
  });

  test("of the call beats that of the publisher", async () => {
    const publisher = scriptedPublisher(new ScriptedTransport(never));
    expect(await msOf(publisher.emit(ROOM, "message", "a", { timeoutMs: 40 }))).toBeLessThan(500);
  });

  test("says that nothing was sent when that is certain, with the last reason", async () => {
    const failures = Array.from({ length: 10_000 }, () => failure("unavailable"));
    const publisher = scriptedPublisher(new ScriptedTransport(...failures), { timeoutMs: 80 });
    const error = await errorOf(publisher.emit(ROOM, "message", "a"));
    expect(error).toMatchObject({ code: "unavailable", cause: { message: "scripted unavailable" } });
    expect(error.message).toMatch(/scripted unavailable\); it was not sent$/);
  });

  test("does not promise `certainly not stored` after a try whose outcome is unknown", async () => {
    const full = failure("store_full", { retryAfterMs: 5_000 });
    const transport = new ScriptedTransport(failure("unavailable", { unsent: false }), full);
    const error = await errorOf(scriptedPublisher(transport).emit(ROOM, "message", "a"));
    expect(error.code).toBe("unavailable");
    expect(error.message).toContain("may be stored");
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 600_001, "5"])("of %p is refused", async (ms) => {
    const transport = new ScriptedTransport();
    const emitted = scriptedPublisher(transport).emit(ROOM, "message", "a", { timeoutMs: ms as number });
    expect((await errorOf(emitted)).code).toBe("bad_request");
    expect(transport.tries).toEqual([]);
  });
});
