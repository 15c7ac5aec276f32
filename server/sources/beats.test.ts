import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import type { Publisher } from "../publisher/index.ts";
import { parseRoomName } from "../../shared/room-name.ts";
import { Beats } from "./beats.ts";

let said: string[];
let answer: () => Promise<unknown>;
let beats: Beats;
let closed: boolean;

beforeEach(() => {
  jest.useFakeTimers();
  said = [];
  closed = false;
  answer = () => Promise.resolve();
  const emit = (room: string, event: string, data: unknown, { ephemeral }: { ephemeral: true }): unknown => {
    said.push(JSON.stringify([room, event, data, ephemeral]));
    return answer();
  };
  const close = async (): Promise<void> => void (closed = true);
  const publisher = { emit, close } as unknown as Publisher;
  beats = new Beats({ publisher, room: parseRoomName("stream:x"), program: "make" });
});
afterEach(() => {
  beats.stop();
  jest.useRealTimers();
});

const LIVE = `["stream:x","source",{"program":"make","state":"live"},true]`;
const ENDED = LIVE.replace("live", "ended");

describe("the beats of a source", () => {
  test("say that it is live at once and every 5 s, and at last that it has ended", async () => {
    beats.start();
    expect(said).toEqual([LIVE]);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(said).toEqual([LIVE, LIVE, LIVE]);
    await beats.end();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(said.slice(3)).toEqual([ENDED]);
    expect(closed).toBe(true);
  });

  test("do not queue up while one is not answered, and do not mind one that fails", async () => {
    let fail: (error: Error) => void = () => {};
    answer = () => new Promise((_resolve, reject) => (fail = reject));
    beats.start();
    await jest.advanceTimersByTimeAsync(20_000);
    expect(said).toEqual([LIVE]);
    fail(new Error("away"));
    await jest.advanceTimersByTimeAsync(5_000);
    expect(said).toEqual([LIVE, LIVE]);
  });

  test("say nothing of a source that never began or was refused", async () => {
    await beats.end();
    beats.start();
    expect(said).toEqual([]);
    expect(closed).toBe(true);
  });
});
