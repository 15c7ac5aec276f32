import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { SourceStates } from "./source-states.ts";

let states: SourceStates;
beforeEach(() => {
  jest.useFakeTimers();
  states = new SourceStates();
});
afterEach(() => {
  states.close();
  jest.useRealTimers();
});

function beat(program: string, state = "live"): boolean {
  return states.receive("source", { program, state }, true);
}

describe("the sources of a log", () => {
  test("are unknown where none says anything of itself", () => {
    expect(states.receive("log", { message: "hi", program: "curl" }, false)).toBe(false);
    expect(states.text).toBe("");
  });

  test("are live for 12 s after each beat, and unknown from then on", () => {
    let told = 0;
    states.subscribe(() => (told += 1));
    expect(beat("make")).toBe(true);
    jest.advanceTimersByTime(11_000);
    beat("make");
    jest.advanceTimersByTime(11_900);
    expect(states.text).toBe("live: make");
    jest.advanceTimersByTime(200);
    expect(states.text).toBe("");
    expect(told).toBe(2);
  });

  test("have ended when they say so, or with their exit, until they are live again", () => {
    beat("make");
    expect(states.receive("exit", { program: "make", code: 0, signal: null }, false)).toBe(false);
    expect(states.text).toBe("ended");
    beat("make");
    expect(states.text).toBe("live: make");
    beat("make", "ended");
    expect(states.text).toBe("ended");
    jest.advanceTimersByTime(60_000);
    expect(states.text).toBe("ended");
  });

  test("are told together", () => {
    for (const program of ["web", "db", "old"]) beat(program);
    beat("old", "ended");
    expect(states.text).toBe("live: web and db; ended: old");
    jest.advanceTimersByTime(8_000);
    beat("db");
    jest.advanceTimersByTime(8_000);
    expect(states.text).toBe("live: db; ended: old");
  });

  test("are not what somebody keeps under the same name, or what is no beat", () => {
    expect(states.receive("source", { program: "make", state: "live" }, false)).toBe(false);
    for (const data of [null, 7, {}, { program: 7, state: "live" }, { program: "make", state: "odd" }])
      expect(states.receive("source", data, true)).toBe(true);
    expect(states.text).toBe("");
  });
});
