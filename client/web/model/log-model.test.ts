import { describe, expect, test } from "@jest/globals";
import type { Message } from "../../../shared/message.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import { EVERYTHING } from "./log-filter.ts";
import { LogModel } from "./log-model.ts";
import type { Arrival } from "./log-row.ts";

const line = (offset: number, fields: object = {}): Arrival => ({
  event: "log",
  data: { message: `line ${offset}`, level: "INFO", ...fields },
  meta: { id: `m-${offset}`, epoch: "e", offset, time: offset },
});
const kept = (offset: number): Message => ({
  ...line(offset),
  ...line(offset).meta,
  room: "stream:x" as RoomName,
  epoch: "e",
  offset,
});

/** A model whose frames come when the test says so. */
function modelOf(mostRows: number): { model: LogModel; frame: () => void; tasks: (() => void)[] } {
  const tasks: (() => void)[] = [];
  const model = new LogModel((task) => {
    tasks.push(task);
    return () => tasks.splice(tasks.indexOf(task), 1);
  }, mostRows);
  return { model, frame: () => tasks.splice(0).forEach((task) => task()), tasks };
}

function receive(model: LogModel, from: number, to: number): void {
  for (let offset = from; offset <= to; offset += 1) model.receive(line(offset));
}

const offsets = (model: LogModel): (number | undefined)[] => model.shown.map(({ place }) => place?.offset);
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe("a log model", () => {
  test("takes in all that came since the last frame at once, and tells it once", () => {
    const { model, frame, tasks } = modelOf(100);
    let told = 0;
    model.subscribe(() => (told += 1));
    receive(model, 1, 50);
    expect([tasks.length, model.total, told]).toEqual([1, 0, 0]);
    frame();
    expect([model.total, told]).toEqual([50, 1]);
    expect(offsets(model)).toEqual(range(1, 50));
  });

  test("holds the newest rows and no more", () => {
    const { model, frame } = modelOf(10);
    receive(model, 1, 8);
    frame();
    receive(model, 9, 25);
    frame();
    expect(offsets(model)).toEqual(range(16, 25));
    expect(model.complete).toBe(false);
  });

  test("does not let arrivals pile up when no frame comes", () => {
    const { model } = modelOf(10);
    receive(model, 1, 1_000);
    expect(model.total).toBe(10);
  });

  test("counts what comes while it is paused, and shows it in order afterwards", () => {
    const { model, frame } = modelOf(100);
    receive(model, 1, 10);
    frame();
    model.setPaused(true);
    receive(model, 11, 30);
    frame();
    expect([model.behind, model.following]).toEqual([20, false]);
    expect(offsets(model)).toEqual(range(1, 10));
    model.setPaused(false);
    expect([model.behind, model.following]).toEqual([0, true]);
    expect(offsets(model)).toEqual(range(1, 30));
  });

  test("has a row that came before the pause in that very frame on the right side of it", () => {
    const { model } = modelOf(100);
    receive(model, 1, 3);
    model.setPaused(true);
    expect([model.total, model.behind]).toEqual([3, 0]);
  });

  test("goes on without a hole when more was held back than it can hold: what is between is fetched", () => {
    const { model, frame } = modelOf(10);
    receive(model, 1, 10);
    frame();
    model.setPaused(true);
    receive(model, 11, 45);
    frame();
    expect(model.behind).toBe(35);
    expect(offsets(model)).toEqual(range(1, 10));
    model.setPaused(false);
    expect(offsets(model)).toEqual(range(36, 45));
    expect(model.complete).toBe(false);
  });

  test("takes no row away from a reader who has scrolled up, and loses none", () => {
    const { model, frame } = modelOf(10);
    receive(model, 1, 8);
    frame();
    model.setFollowing(false);
    receive(model, 9, 14);
    frame();
    expect(offsets(model)).toEqual(range(1, 10));
    expect(model.behind).toBe(6);
    model.setFollowing(true);
    expect(offsets(model)).toEqual(range(5, 14));
    expect(model.behind).toBe(0);
  });

  test("puts older rows before the others, with smaller keys, as many as fit", () => {
    const { model, frame } = modelOf(10);
    receive(model, 8, 12);
    frame();
    expect(model.olderThan).toBeUndefined();
    model.joined(false);
    expect(model.olderThan).toEqual({ epoch: "e", offset: 8, id: "m-8" });
    model.prepend(range(1, 7).map(kept), false);
    expect(offsets(model)).toEqual(range(3, 12));
    const keys = model.shown.map(({ key }) => key);
    expect(keys).toEqual(keys.toSorted((a, b) => a - b));
    expect(model.olderThan).toBeUndefined();
  });

  test("asks for nothing older than the beginning", () => {
    const { model } = modelOf(10);
    receive(model, 3, 4);
    model.joined(false);
    expect(model.olderThan).toMatchObject({ offset: 3 });
    model.prepend([kept(1), kept(2)], true);
    expect([model.complete, model.olderThan]).toEqual([true, undefined]);
  });

  test("shows what the filter lets through, of old rows and new ones, and gaps and ends always", () => {
    const { model, frame } = modelOf(100);
    model.receive(line(1, { level: "ERROR" }));
    model.receive(line(2, { level: "info" }));
    frame();
    model.setQuery({ ...EVERYTHING, levels: new Set(["error"]) });
    expect(offsets(model)).toEqual([1]);
    model.receive(line(3, { level: "fatal" }));
    model.receive(line(4));
    model.gap({ room: "stream:x", epoch: "f", from: 5, to: 7, reason: "lost" }, 1);
    model.receive({ ...line(8), event: "exit", data: { program: "make", code: 2, signal: null } });
    frame();
    expect(model.shown.map(({ plain }) => plain)).toEqual([
      "line 1",
      "line 3",
      "3 messages missing here: they were lost on the way",
      "make ended with exit code 2",
    ]);
    model.setQuery(EVERYTHING);
    expect(model.shown.length).toBe(6);
  });
});
