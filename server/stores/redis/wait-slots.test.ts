import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { until } from "../../../test/support/wait.ts";
import { WaitSlots } from "./wait-slots.ts";

describe("commands that share a slot", () => {
  test("are told when one of them is late, after it has been noticed", async () => {
    const told: string[] = [];
    const slots = new WaitSlots(50, () => told.push("late"));
    const [answered, waits, written] = [slots.enter(), slots.enter(), slots.enter()];
    answered.leave();
    waits.addEventListener("abort", () => told.push("not written"));
    const onAbort = (): void => void told.push("written");
    written.addEventListener("abort", onAbort);
    written.removeEventListener("abort", onAbort);
    expect(waits.aborted).toBe(false);
    await until(() => told.length > 0);
    expect(told).toEqual(["late", "not written"]);
    expect(waits.aborted).toBe(true);
  });

  test("and are all answered cause nothing", async () => {
    const told: string[] = [];
    const slots = new WaitSlots(20, () => told.push("late"));
    const slot = slots.enter();
    slot.addEventListener("abort", () => told.push("not written"));
    slot.leave();
    await sleep(60);
    expect(told).toEqual([]);
  });

  test("have all but the time that they began apart, and then no longer share it", async () => {
    let late = 0;
    const slots = new WaitSlots(40, () => (late += 1));
    const first = slots.enter();
    first.leave();
    await sleep(20);
    const second = slots.enter();
    expect(second).not.toBe(first);
    const started = performance.now();
    await until(() => late === 1);
    expect(performance.now() - started).toBeGreaterThan(30);
  });
});
