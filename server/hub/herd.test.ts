import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { range, ROOM, startCore, type Core } from "../../test/support/core.ts";
import type { StoredMessage } from "./broker.ts";

const MESSAGES = 3_000;
let core: Core;
beforeEach(() => {
  // What a node knows of the log is good for a second: on a slow machine these readers would not all come at once.
  const others = [
    "nextTick",
    "setImmediate",
    "setTimeout",
    "clearTimeout",
    "setInterval",
    "clearInterval",
  ] as const;
  jest.useFakeTimers({ doNotFake: [...others, "clearImmediate", "queueMicrotask", "Date", "hrtime"] });
});
afterEach(async () => {
  jest.useRealTimers();
  expect(core.failures).toEqual([]);
  await core.close();
});

/** A log, and a node that has heard nothing of it yet. */
async function begin(): Promise<readonly StoredMessage[]> {
  core = await startCore();
  await core.publish(MESSAGES);
  const { messages } = await core.broker.read(ROOM, { after: 0, limit: MESSAGES });
  // As over a network: who asks later comes while this is under way.
  core.broker.gate = () => new Promise((resolve) => setImmediate(resolve));
  return messages;
}

/** Lets 2,000 readers come back to a room one after the other, each with what it has, and counts questions to the log. */
async function resume(heard: (reader: number) => StoredMessage): Promise<number> {
  const before = { ...core.broker.asked };
  const joins = range(1, 2_000).map(async (i) => {
    const { epoch, offset, id } = heard(i);
    const reader = core.reader();
    for (let turns = i % 20; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
    const reply = await core.join(reader, { since: { epoch, offset, id } });
    expect(reply).toMatchObject({ recovered: true, replayed: MESSAGES - offset });
    expect(reader.offsets[0]).toBe(offset < MESSAGES ? offset + 1 : undefined);
    expect(reader.offsets).toHaveLength(MESSAGES - offset);
  });
  await Promise.all(joins);
  const { read, check } = core.broker.asked;
  return read - before.read + check - before.check;
}

describe("2,000 readers who come back to one room", () => {
  it("ask the log 20 times at most, if they missed little", async () => {
    const messages = await begin();
    expect(await resume((i) => messages[MESSAGES - 1 - (i % 200)]!)).toBeLessThanOrEqual(20);
  });

  it("ask the log 20 times at most, if they missed thousands, each another number", async () => {
    const messages = await begin();
    const asked = await resume((i) => messages[Math.floor((i / 2_001) * MESSAGES)]!);
    expect(asked).toBeLessThanOrEqual(20);
  });

  it("are told what they lost all the same", async () => {
    const messages = await begin();
    const { epoch, offset, id } = messages[MESSAGES - 50]!;
    const honest = range(1, 200).map((i) =>
      core.join(core.reader(), { since: { epoch, offset, id: i % 2 === 0 ? id : "other" } }),
    );
    const replies = await Promise.all(honest);
    expect(replies.map(({ recovered }) => recovered)).toEqual(range(1, 200).map((i) => i % 2 === 0));
  });
});
