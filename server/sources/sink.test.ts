import { describe, expect, test } from "@jest/globals";
import { HubError, type ErrorCode } from "../../shared/errors.ts";
import type { RoomName } from "../../shared/room-name.ts";
import { ScriptedTransport, scriptedPublisher, type Step } from "../../test/support/scripted-transport.ts";
import { until } from "../../test/support/wait.ts";
import { Failure } from "../publisher/transport.ts";
import { logData } from "./entry.ts";
import { Sink, type Entry, type SinkOptions } from "./sink.ts";

const ROOM = "stream:build" as RoomName;

function failure(code: ErrorCode, unsent = true): Failure {
  return new Failure(new HubError(code, `scripted ${code}`, { retryAfterMs: 1 }), unsent);
}

function line(text: string, source = "stdout"): Entry {
  return { event: "log", data: logData({ text, bytes: text.length }, { program: "p", source }, 1_000) };
}

function lines(from: number, to: number, source?: string): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => line(String(from + i), source));
}

interface Setup {
  readonly transport: ScriptedTransport;
  readonly sink: Sink;
  readonly news: string[];
  readonly messages: (source?: string) => string[];
}

function setUp(script: readonly Step[] = [], options: Partial<SinkOptions> = {}, tryMs = 5): Setup {
  const transport = new ScriptedTransport(...script);
  const news: string[] = [];
  const sink = new Sink({
    publisher: scriptedPublisher(transport),
    room: ROOM,
    timeoutMs: tryMs,
    maxPauseMs: 1,
    onAway: ({ code }) => news.push(`away: ${code}`),
    onBack: () => news.push("back"),
    onRefused: ({ code }) => news.push(`refused: ${code}`),
    ...options,
  });
  const messages = (source?: string): string[] =>
    transport
      .stored(ROOM)
      .map((data) => JSON.parse(data) as { message: string; source?: string })
      .filter((data) => source === undefined || data.source === source)
      .map(({ message }) => message);
  return { transport, sink, news, messages };
}

/** A hub that is away for so long on a clock of its own, which every attempt moves on. */
function awayFor(ms: number, stepMs: number): { readonly step: () => Step; readonly clock: { now: number } } {
  const clock = { now: 0 };
  const step = (): Step => {
    clock.now += stepMs;
    return clock.now < ms ? failure("unavailable", clock.now % 2 === 0) : "store";
  };
  return { step, clock };
}

describe("a sink", () => {
  test("hands over in order, a batch at a time, and flushes", async () => {
    const { transport, sink, messages } = setUp();
    lines(1, 250).forEach((entry) => sink.push(entry));
    expect(await sink.flush()).toBe(0);
    expect(messages()).toEqual(lines(1, 250).map(({ data }) => (data as { message: string }).message));
    expect(transport.tries.map(({ length }) => length)).toEqual([100, 100, 50]);
    expect(transport.mostUnderWay).toBe(1);
  });

  test("keeps what each entry says of its time", async () => {
    const { transport, sink } = setUp([failure("unavailable")]);
    sink.push(line("a"));
    await sink.flush();
    expect(JSON.parse(transport.stored(ROOM)[0]!)).toMatchObject({ timestamp: "1970-01-01T00:00:01.000Z" });
  });

  test("loses and doubles nothing while the hub is away for 30 s, and tells it once", async () => {
    const { step, clock } = awayFor(30_000, 333);
    const { transport, sink, news, messages } = setUp(Array.from({ length: 100 }, () => step));
    lines(1, 500).forEach((entry) => sink.push(entry));
    await until(() => clock.now > 10_000);
    lines(501, 1_000).forEach((entry) => sink.push(entry));
    expect(await sink.flush()).toBe(0);
    expect(clock.now).toBeGreaterThanOrEqual(30_000);
    expect(messages()).toEqual(lines(1, 1_000).map(({ data }) => (data as { message: string }).message));
    expect(new Set(transport.ids(ROOM)).size).toBe(1_000);
    expect(news).toEqual(["away: unavailable", "back"]);
  });

  test("doubles nothing of which the answer was lost", async () => {
    const { sink, messages } = setUp(["lose", "lose", failure("unavailable", false), "lose"]);
    lines(1, 150).forEach((entry) => sink.push(entry));
    await sink.flush();
    expect(messages()).toHaveLength(150);
  });

  test("puts in the place of what found no room how much it was, per source and in order", async () => {
    let isAway = true;
    const step = (): Step => (isAway ? failure("unavailable") : "store");
    const { sink, news, messages } = setUp(
      Array.from({ length: 10_000 }, () => step),
      { maxEntries: 100 },
    );
    lines(1, 50, "stdout").forEach((entry) => sink.push(entry));
    lines(1, 50, "stderr").forEach((entry) => sink.push(entry));
    await until(() => news.length === 1);
    lines(51, 80, "stdout").forEach((entry) => sink.push(entry));
    lines(51, 51, "stderr").forEach((entry) => sink.push(entry));
    sink.push({ event: "exit", data: { program: "p", code: 0, signal: null } });
    isAway = false;
    await sink.flush();
    sink.push(line("81", "stdout"));
    await sink.flush();
    const numbers = Array.from({ length: 50 }, (_, i) => String(i + 1));
    const reason = "(the hub was away or too slow)";
    expect(messages("stdout")).toEqual([...numbers, `30 lines dropped ${reason}`, "81"]);
    expect(messages("stderr")).toEqual([...numbers, `1 line dropped ${reason}`]);
    expect(messages()).toHaveLength(104);
  });

  test("drops by bytes as well", async () => {
    const { sink, news } = setUp(
      Array.from({ length: 500 }, () => failure("unavailable")),
      { maxBytes: 50_000 },
    );
    sink.push(line("x".repeat(50_000)));
    await until(() => news.length === 1);
    lines(1, 1_000).forEach((entry) => sink.push(entry));
    expect(sink.size).toBe(2);
    sink.giveUp();
  });

  test("keeps what a patient source gives beyond its bounds", async () => {
    const { sink, news } = setUp(
      Array.from({ length: 500 }, () => failure("unavailable")),
      { maxEntries: 10 },
    );
    sink.push(line("a"));
    await until(() => news.length === 1);
    lines(1, 20).forEach((entry) => sink.push(entry, "patient"));
    expect(sink.size).toBe(21);
    sink.giveUp();
  });

  test("makes a source wait while the hub is slow, and not while it is away", async () => {
    let letGo = (): void => {};
    const slow = new Promise<void>((resolve) => (letGo = resolve));
    const { sink } = setUp([slow], { maxEntries: 5 }, 60_000);
    lines(1, 5).forEach((entry) => sink.push(entry));
    let hasRoom = false;
    const room = sink.room().then(() => (hasRoom = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(hasRoom).toBe(false);
    letGo();
    await room;

    const away = setUp(
      Array.from({ length: 500 }, () => failure("unavailable")),
      { maxEntries: 5 },
    );
    lines(1, 5).forEach((entry) => away.sink.push(entry));
    await away.sink.room();
    expect(away.news).toEqual(["away: unavailable"]);
    away.sink.giveUp();
  });

  test("says of one line that the hub refuses that it was dropped, and goes on", async () => {
    const { sink, messages } = setUp([failure("too_large")]);
    sink.push(line("a"));
    await sink.flush();
    expect(messages()).toEqual(["1 line dropped (too_large)"]);
  });

  test("takes an id that the hub knows with another time for handed over", async () => {
    const { sink, messages } = setUp([failure("id_reused")]);
    let settled = 0;
    sink.push({ ...line("a"), id: "file.12", onSettled: () => (settled += 1) });
    expect(await sink.flush()).toBe(0);
    expect({ settled, messages: messages() }).toEqual({ settled: 1, messages: [] });
  });

  test.each(["unauthorized", "forbidden", "not_found", "bad_room"] as const)(
    "ends at once when the hub answers %s from the beginning",
    async (code) => {
      const { sink, news, transport } = setUp([failure(code)]);
      lines(1, 5).forEach((entry) => sink.push(entry));
      expect(await sink.flush()).toBe(5);
      expect(news).toEqual([`refused: ${code}`]);
      expect(transport.tries).toHaveLength(1);
    },
  );

  test("waits out a refusal of a hub that has taken something before", async () => {
    const { sink, news, messages } = setUp(["store", failure("not_found"), failure("unauthorized")]);
    sink.push(line("a"));
    await sink.flush();
    sink.push(line("b"));
    await sink.flush();
    expect(messages()).toEqual(["a", "b"]);
    expect(news).toEqual(["away: not_found", "back"]);
  });

  test("gives up when it is told, and tells what is left", async () => {
    const { sink } = setUp(Array.from({ length: 10_000 }, () => failure("unavailable")));
    lines(1, 3).forEach((entry) => sink.push(entry));
    expect(await sink.flush(20)).toBe(3);
    const flushed = sink.flush();
    sink.giveUp();
    expect(await flushed).toBe(3);
  });
});
