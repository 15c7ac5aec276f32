import { getEventListeners } from "node:events";
import { describe, expect, test } from "@jest/globals";
import { HubError } from "../../shared/errors.ts";
import { ScriptedTransport, scriptedPublisher } from "../../test/support/scripted-transport.ts";
import { until } from "../../test/support/wait.ts";
import { Failure } from "./transport.ts";

const ROOM = "chat:lobby";
const away = new Failure(new HubError("unavailable", "scripted"), true);

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** A try that is held up until it is let go. */
function held(): { readonly step: Promise<void>; letGo: () => void } {
  let letGo = (): void => {};
  const step = new Promise<void>((resolve) => (letGo = resolve));
  return { step, letGo };
}

describe("the messages of one room", () => {
  test("that are emitted in one turn leave as one batch", async () => {
    const transport = new ScriptedTransport();
    const publisher = scriptedPublisher(transport);
    const replies = await Promise.all(range(1, 5).map((i) => publisher.emit(ROOM, "n", i)));
    expect(transport.tries).toEqual([["1", "2", "3", "4", "5"]]);
    expect(replies.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5]);
  });

  test("leave a hundred at a time", async () => {
    const transport = new ScriptedTransport();
    const publisher = scriptedPublisher(transport);
    await Promise.all(range(1, 201).map((i) => publisher.emit(ROOM, "n", i)));
    expect(transport.tries.map(({ length }) => length)).toEqual([100, 100, 1]);
  });

  test("leave in batches of 1 MiB", async () => {
    const transport = new ScriptedTransport();
    const publisher = scriptedPublisher(transport);
    const data = "é".repeat(32_000);
    await publisher.batch(range(1, 20).map(() => ({ room: ROOM, event: "n", data })));
    expect(transport.tries.map(({ length }) => length)).toEqual([16, 4]);
  });

  test("wait for the batch under way, and for its retries", async () => {
    const first = held();
    const transport = new ScriptedTransport(first.step, away, away);
    const publisher = scriptedPublisher(transport);
    const one = publisher.emit(ROOM, "n", 1);
    await until(() => transport.tries.length === 1);
    const more = [2, 3].map((i) => publisher.emit(ROOM, "n", i));
    first.letGo();
    await Promise.all([one, ...more]);
    expect(transport.tries).toEqual([["1"], ["2", "3"], ["2", "3"], ["2", "3"]]);
    expect(transport.mostUnderWay).toBe(1);
    expect(transport.stored(ROOM)).toEqual(["1", "2", "3"]);
  });

  test("go on without the one whose time is up", async () => {
    const first = held();
    const transport = new ScriptedTransport(first.step.then(() => Promise.reject(new Error("gone"))));
    const publisher = scriptedPublisher(transport);
    const hasty = publisher.emit(ROOM, "n", "hasty", { timeoutMs: 30 });
    const patient = publisher.emit(ROOM, "n", "patient");
    await expect(hasty).rejects.toMatchObject({ code: "unavailable" });
    first.letGo();
    expect(await patient).toMatchObject({ offset: 1 });
    expect(transport.tries).toEqual([['"hasty"', '"patient"'], ['"patient"']]);
  });

  test("do not wait for those of another room", async () => {
    const first = held();
    const transport = new ScriptedTransport(first.step);
    const publisher = scriptedPublisher(transport);
    const slow = publisher.emit("chat:slow", "n", 1);
    await publisher.emit("chat:fast", "n", 1);
    first.letGo();
    await slow;
  });

  test("wait while as many batches are under way as the transport takes", async () => {
    const first = held();
    const transport = new ScriptedTransport(first.step, first.step);
    transport.batchesAtOnce = 2;
    const publisher = scriptedPublisher(transport);
    const all = publisher.batch(range(1, 10).map((i) => ({ room: `chat:${i}`, event: "n", data: i })));
    await until(() => transport.underWay === 2);
    first.letGo();
    expect(await all).toHaveLength(10);
    expect(transport.mostUnderWay).toBe(2);
  });
});

describe("an abort", () => {
  const reason = new Error("changed my mind");

  test("before the call sends nothing", async () => {
    const transport = new ScriptedTransport();
    const publisher = scriptedPublisher(transport);
    const signal = AbortSignal.abort(reason);
    await expect(publisher.emit(ROOM, "n", 1, { signal })).rejects.toBe(reason);
    await expect(publisher.batch([{ room: ROOM, event: "n", data: 1 }], { signal })).rejects.toBe(reason);
    expect(transport.tries).toEqual([]);
  });

  test("rejects with its reason at once, and ends a try for which nobody waits", async () => {
    const transport = new ScriptedTransport(held().step);
    const controller = new AbortController();
    const emitted = scriptedPublisher(transport).emit(ROOM, "n", 1, { signal: controller.signal });
    await until(() => transport.tries.length === 1);
    controller.abort(reason);
    await expect(emitted).rejects.toBe(reason);
    expect(transport.signals[0]!.aborted).toBe(true);
  });

  test("takes a message out of the batch whose other messages go on", async () => {
    const first = held();
    const transport = new ScriptedTransport(first.step.then(() => Promise.reject(new Error("gone"))));
    const publisher = scriptedPublisher(transport);
    const controller = new AbortController();
    const one = publisher.emit(ROOM, "n", 1, { signal: controller.signal });
    const two = publisher.emit(ROOM, "n", 2);
    await until(() => transport.tries.length === 1);
    controller.abort(reason);
    await expect(one).rejects.toBe(reason);
    expect(transport.signals[0]!.aborted).toBe(false);
    first.letGo();
    await two;
    expect(transport.tries).toEqual([["1", "2"], ["2"]]);
  });

  test("ends the pause before a retry", async () => {
    const failures = range(1, 50).map(() => away);
    const transport = new ScriptedTransport(...failures);
    const publisher = scriptedPublisher(transport, { random: () => 1, timeoutMs: 60_000 });
    const controller = new AbortController();
    const emitted = publisher.emit(ROOM, "n", 1, { signal: controller.signal });
    await until(() => transport.tries.length === 3);
    controller.abort(reason);
    await expect(emitted).rejects.toBe(reason);
    await publisher.close();
  });

  test("may come from one signal for many calls, which has one listener meanwhile and none afterwards", async () => {
    const { signal } = new AbortController();
    const publisher = scriptedPublisher(new ScriptedTransport());
    const emitted = range(1, 50).map((i) => publisher.emit(ROOM, "n", i, { signal }));
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    await Promise.all(emitted);
    await publisher.flush();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("reaches every call that has its signal", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const publisher = scriptedPublisher(new ScriptedTransport(held().step));
    await publisher.emit("chat:other", "n", 0, { signal, timeoutMs: 20 }).catch(() => {});
    const emitted = range(1, 20).map((i) => publisher.emit(ROOM, "n", i, { signal }));
    const settled = Promise.allSettled(emitted);
    controller.abort(reason);
    expect(
      (await settled).map((result) =>
        result.status === "rejected" ? (result.reason as unknown) : result.value,
      ),
    ).toEqual(range(1, 20).map(() => reason));
  });
});

describe("a batch", () => {
  test("has a result for each message in its place", async () => {
    const transport = new ScriptedTransport();
    const results = await scriptedPublisher(transport).batch([
      { room: "chat:a", event: "n", data: 1, id: "one" },
      { room: "nowhere", event: "n", data: 2 },
      { room: "chat:b", event: "n", data: 3, ephemeral: true },
      { room: "chat:a", event: "connect", data: 4 },
      { room: "chat:a", event: "n", data: 5 },
    ]);
    expect(results).toMatchObject([
      { room: "chat:a", id: "one", offset: 1 },
      { error: { code: "bad_room" } },
      { room: "chat:b", ephemeral: true },
      { error: { code: "bad_event" } },
      { room: "chat:a", offset: 2 },
    ]);
    expect(JSON.parse(JSON.stringify(results[1]))).toMatchObject({
      error: { code: "bad_room", retryable: false },
    });
  });

  test("may be empty", async () => {
    expect(await scriptedPublisher(new ScriptedTransport()).batch([])).toEqual([]);
  });

  test("is refused if it is no array", async () => {
    const batch = scriptedPublisher(new ScriptedTransport()).batch("many" as never);
    await expect(batch).rejects.toMatchObject({ code: "bad_request" });
  });

  test("gives those whose time is up their error, and the others their position", async () => {
    const transport = new ScriptedTransport("store", held().step);
    const results = await scriptedPublisher(transport).batch(
      [
        { room: "chat:a", event: "n", data: 1 },
        { room: "chat:b", event: "n", data: 2 },
      ],
      { timeoutMs: 50 },
    );
    expect(results).toMatchObject([{ offset: 1 }, { error: { code: "unavailable" } }]);
  });
});

describe("a message that the hub would refuse", () => {
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
  test.each([
    ["bad_room", ["lobby", "n", 1, {}]],
    ["bad_room", ["chat:", "n", 1, {}]],
    ["bad_room", ["chat:a b", "n", 1, {}]],
    ["bad_room", [7, "n", 1, {}]],
    ["bad_room", [`chat:${"x".repeat(201)}`, "n", 1, {}]],
    ["bad_event", [ROOM, "", 1, {}]],
    ["bad_event", [ROOM, "disconnect", 1, {}]],
    ["bad_event", [ROOM, "room:gap", 1, {}]],
    ["bad_request", [ROOM, "n", undefined, {}]],
    ["bad_request", [ROOM, "n", Number.NaN, {}]],
    ["bad_request", [ROOM, "n", Buffer.from("x"), {}]],
    ["bad_request", [ROOM, "n", deep(33), {}]],
    ["bad_request", [ROOM, "n", 1, { id: "" }]],
    ["bad_request", [ROOM, "n", 1, { id: "a b" }]],
    ["bad_request", [ROOM, "n", 1, { ephemeral: "yes" }]],
    ["too_large", [ROOM, "n", "x".repeat(65_535), {}]],
  ])("is rejected with %s before anything is sent (%#)", async (code, [room, event, data, options]) => {
    const transport = new ScriptedTransport();
    const emitted = scriptedPublisher(transport).emit(
      room as string,
      event as string,
      data,
      options as { id?: string },
    );
    await expect(emitted).rejects.toMatchObject({ name: "HubError", code });
    expect(transport.tries).toEqual([]);
  });
});

describe("flush and close", () => {
  test("wait for what was handed over, well or not", async () => {
    const first = held();
    const transport = new ScriptedTransport(first.step, new Failure(new HubError("forbidden", "no"), true));
    const publisher = scriptedPublisher(transport);
    let answered = 0;
    const count = (): void => void (answered += 1);
    publisher.emit("chat:a", "n", 1).then(count, count);
    publisher.emit("chat:b", "n", 2).then(count, count);
    await until(() => answered === 1);
    const flushed = publisher.flush().then(() => answered);
    first.letGo();
    expect(await flushed).toBe(2);
  });

  test("end the transport once, after the flush, and refuse what comes later", async () => {
    const first = held();
    const transport = new ScriptedTransport(first.step);
    const publisher = scriptedPublisher(transport);
    const emitted = publisher.emit(ROOM, "n", 1);
    const closed = Promise.all([publisher.close(), publisher.close()]);
    await expect(publisher.emit(ROOM, "n", 2)).rejects.toMatchObject({
      code: "bad_request",
      retryable: false,
    });
    await expect(publisher.batch([])).rejects.toMatchObject({ code: "bad_request" });
    expect(transport.closed).toBe(false);
    first.letGo();
    await closed;
    expect(transport.closed).toBe(true);
    expect(await emitted).toMatchObject({ offset: 1 });
  });
});
