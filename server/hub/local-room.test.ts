import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { range, ROOM, startCore, type Core } from "../../test/support/core.ts";
import { until } from "../../test/support/wait.ts";
import { HubError } from "../../shared/errors.ts";
import type { StoredMessage } from "./broker.ts";

let core: Core;
beforeEach(async () => {
  core = await startCore();
});
afterEach(async () => {
  expect(core.failures).toEqual([]);
  await core.close();
});

const unavailable = (): never => {
  throw new HubError("unavailable", "the store is away");
};

describe("a node that misses something", () => {
  const lose =
    (...offsets: number[]) =>
    (message: StoredMessage) =>
      offsets.includes(message.offset) ? [] : [message];

  it("fetches what it missed before it goes on, in order", async () => {
    const reader = core.reader();
    await core.join(reader);
    core.broker.pass = lose(2, 3, 5);
    await core.publish(6);
    await until(() => reader.offsets.length === 6, 1_000);
    expect(reader.offsets).toEqual(range(1, 6));
    expect(reader.gaps).toEqual([]);
  });

  it("drops what comes twice", async () => {
    const reader = core.reader();
    await core.join(reader);
    core.broker.pass = (message) => [message, message];
    await core.publish(3);
    expect(reader.offsets).toEqual([1, 2, 3]);
    expect(core.broker.asked.check).toBe(0);
  });

  it("puts right what comes in the wrong order", async () => {
    const reader = core.reader();
    await core.join(reader);
    let kept: StoredMessage | undefined;
    core.broker.pass = (message) => {
      if (message.offset % 2 === 1) {
        kept = message;
        return [];
      }
      return [message, kept!];
    };
    await core.publish(10);
    await until(() => reader.offsets.length === 10, 1_000);
    expect(reader.offsets).toEqual(range(1, 10));
  });

  it("finds out by itself after an interruption, however quiet the room", async () => {
    const reader = core.reader();
    await core.join(reader);
    core.broker.pass = () => [];
    await core.publish(4);
    expect(reader.offsets).toEqual([]);
    core.broker.interrupt();
    await until(() => reader.offsets.length === 4, 1_000);
    expect(reader.offsets).toEqual(range(1, 4));
  });

  it("goes on trying while the log can't be read", async () => {
    const reader = core.reader();
    await core.join(reader);
    core.broker.pass = lose(1);
    core.broker.gate = unavailable;
    await core.publish(3);
    await until(() => core.broker.asked.check >= 3, 3_000);
    core.broker.gate = undefined;
    await until(() => reader.offsets.length === 3, 3_000);
    expect(reader.offsets).toEqual([1, 2, 3]);
  });

  it("tells its members what is gone for good", async () => {
    await core.close();
    core = await startCore({ rooms: { "stream:*": { messages: 2, ageMs: 3_600_000 } } });
    const reader = core.reader();
    await core.join(reader);
    core.broker.pass = () => [];
    await core.publish(5);
    core.broker.pass = undefined;
    await core.publish(1);
    await until(() => reader.offsets.length === 2, 1_000);
    expect(reader.log.slice(1)).toEqual([
      expect.objectContaining({ from: 1, to: 4, reason: "trimmed" }),
      5,
      6,
    ]);
  });

  it("tells once what is gone, however often the log can't be read meanwhile", async () => {
    await core.close();
    core = await startCore({ rooms: { "stream:*": { messages: 3, ageMs: 3_600_000 } } });
    const reader = core.reader();
    await core.join(reader);
    core.broker.pass = () => [];
    await core.publish(5);
    let refusals = 0;
    core.broker.gate = (method) => {
      if (method === "read" && (refusals += 1) <= 2) unavailable();
    };
    core.broker.interrupt();
    await until(() => reader.offsets.length === 3, 3_000);
    expect(reader.gaps).toMatchObject([{ from: 1, to: 2, reason: "trimmed" }]);
    expect(core.broker.asked.renewEpoch).toBe(0);
  });

  it.each([
    ["doesn't take messages for gone", "a message of no log", []],
    ["can't tell whether there were more than the messages", "an interruption", [{ from: 2, to: 1 }]],
  ])("%s that were on their way after %s, where none are kept", async (_, cause, gaps) => {
    await core.close();
    core = await startCore({ rooms: { "stream:*": { messages: 0, ageMs: 3_600_000 } } });
    const reader = core.reader();
    await core.join(reader);
    await core.publish(1);
    core.broker.gate = async (method) => {
      core.broker.gate = undefined;
      if (method === "check") await core.publish(2);
    };
    if (cause === "an interruption") core.broker.interrupt();
    else core.broker.inject({ room: ROOM, epoch: "none", offset: 2, id: "x", time: 1, packet: "[]" });
    await until(() => reader.offsets.length === 3, 2_000);
    await core.publish(1);
    await until(() => reader.offsets.length === 4, 2_000);
    expect(reader.gaps).toMatchObject(gaps);
    expect(reader.gaps).toHaveLength(gaps.length);
  });

  it("asks the log when another message claims a place that it has seen", async () => {
    const reader = core.reader();
    const { position } = await core.join(reader);
    await core.publish(3);
    core.broker.inject({ room: ROOM, epoch: position.epoch, offset: 2, id: "other", time: 1, packet: "[]" });
    await until(() => core.broker.asked.check === 1, 1_000);
    await core.publish(1);
    await until(() => reader.offsets.length === 4, 1_000);
    expect(reader.offsets).toEqual([1, 2, 3, 4]);
    expect(reader.gaps).toEqual([]);
  });

  it("doesn't follow a message of a log that is no more", async () => {
    const reader = core.reader();
    await core.join(reader);
    await core.publish(1);
    // The next offset, but not of this log.
    core.broker.inject({ room: ROOM, epoch: "old", offset: 2, id: "x", time: 1, packet: "[]" });
    await core.publish(1);
    await until(() => reader.offsets.length === 2, 1_000);
    expect(reader.offsets).toEqual([1, 2]);
    expect(reader.gaps).toEqual([]);
    expect(core.broker.asked.check).toBeGreaterThan(0);
  });

  it("tells its members what is trimmed while it fetches", async () => {
    await core.close();
    core = await startCore({ rooms: { "stream:*": { messages: 3, ageMs: 3_600_000 } } });
    const reader = core.reader();
    await core.join(reader);
    core.broker.pass = () => [];
    await core.publish(2);
    let trimmed = false;
    core.broker.gate = async (method) => {
      if (method !== "read" || trimmed) return;
      trimmed = true;
      await core.publish(4);
    };
    core.broker.interrupt();
    await until(() => reader.offsets.length === 3, 1_000);
    expect(reader.log.slice(1)).toEqual([
      expect.objectContaining({ from: 1, to: 3, reason: "trimmed" }),
      4,
      5,
      6,
    ]);
  });

  it("delivers every message once and in order under random loss, doubling, holding and interruptions", async () => {
    const fault = fc.constantFrom("pass", "lose", "double", "hold", "interrupt");
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { minLength: 1, maxLength: 40 }), async (faults) => {
        const own = await startCore();
        const reader = own.reader();
        await own.join(reader);
        const held: StoredMessage[] = [];
        own.broker.pass = (message) => {
          const what = faults[message.offset - 1] ?? "pass";
          if (what === "interrupt") own.broker.interrupt();
          if (what === "hold") held.push(message);
          if (what === "lose" || what === "hold") return [];
          return what === "double" ? [message, message] : [message, ...held.splice(0)];
        };
        await own.publish(faults.length + 1);
        own.broker.interrupt();
        await until(() => reader.offsets.length >= faults.length + 1, 2_000);
        expect(reader.offsets).toEqual(range(1, faults.length + 1));
        await own.close();
      }),
      { numRuns: 150 },
    );
  });
});
