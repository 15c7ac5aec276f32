import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { parseRoomName } from "../../../shared/room-name.ts";
import type { Appended, Draft } from "../../hub/broker.ts";
import { until } from "../../../test/support/wait.ts";
import { AppendLanes } from "./append-lanes.ts";

const room = parseRoomName("chat:lobby");
const other = parseRoomName("chat:other");
const retention = { messages: 10, ageMs: 1_000 };
const limits = { batchMessages: 4, batchBytes: 1_000, redisCommandMs: 100 };

const drafts = (...ids: string[]): Draft[] => ids.map((id) => ({ id, keyed: false, head: "" }));

function accepted(batch: readonly Draft[]): Appended[] {
  return batch.map(({ id }) => ({
    ok: true,
    position: { epoch: "e", offset: 1, id },
    time: 1,
    duplicate: false,
  }));
}

const idsOf = (results: readonly Appended[]): string[] =>
  results.map((result) => (result.ok ? result.position.id : result.error.code));

describe("the lanes of appends", () => {
  test("have one batch per room under way, and answer each call with its own results", async () => {
    const batches: string[][] = [];
    let underWay = 0;
    const lanes = new AppendLanes(async (_room, batch) => {
      underWay += 1;
      expect(underWay).toBe(1);
      batches.push(batch.map(({ id }) => id));
      await sleep(2);
      underWay -= 1;
      return accepted(batch);
    }, limits);
    const calls = [drafts("a"), drafts("b", "c"), drafts("d", "e"), drafts("f")];
    const results = await Promise.all(calls.map((call) => lanes.append(room, call, retention)));
    expect(results.map(idsOf)).toEqual([["a"], ["b", "c"], ["d", "e"], ["f"]]);
    // The fourth message of the first batch would have torn a call in two.
    expect(batches).toEqual([
      ["a", "b", "c"],
      ["d", "e", "f"],
    ]);
  });

  test("do not wait for each other", async () => {
    const lanes = new AppendLanes(async (at, batch) => {
      if (at === room) await sleep(60);
      return accepted(batch);
    }, limits);
    const order: string[] = [];
    const slow = lanes.append(room, drafts("slow"), retention).then(() => order.push("slow"));
    await lanes.append(other, drafts("fast"), retention).then(() => order.push("fast"));
    await slow;
    expect(order).toEqual(["fast", "slow"]);
  });

  test("split by bytes, and let a call over the limit go by itself", async () => {
    const sizes: number[] = [];
    const lanes = new AppendLanes(async (_room, batch) => {
      sizes.push(batch.length);
      return accepted(batch);
    }, limits);
    const long = (id: string, bytes: number): Draft[] => [{ id, keyed: false, head: "x".repeat(bytes) }];
    const calls = [
      long("a", 600),
      long("b", 400),
      long("c", 400),
      long("d", 5_000),
      drafts("e", "f", "g", "h", "i"),
    ];
    await Promise.all(calls.map((call) => lanes.append(room, call, retention)));
    expect(sizes).toEqual([2, 1, 1, 5]);
  });

  test("give up what waited too long, and send nothing of it later", async () => {
    const sent: string[] = [];
    let hangs = true;
    const lanes = new AppendLanes(async (_room, batch) => {
      sent.push(...batch.map(({ id }) => id));
      await until(() => !hangs);
      return accepted(batch);
    }, limits);
    const first = lanes.append(room, drafts("first"), retention);
    await until(() => sent.length === 1);
    for (const call of [first, lanes.append(room, drafts("second"), retention)])
      await expect(call).rejects.toMatchObject({ code: "unavailable" });
    hangs = false;
    expect(idsOf(await lanes.append(room, drafts("third"), retention))).toEqual(["third"]);
    expect(sent).toEqual(["first", "third"]);
  });

  test("reject every call of a batch that failed, and go on with the next", async () => {
    let fails = true;
    const lanes = new AppendLanes(async (_room, batch) => {
      if (fails) throw new Error("lost");
      return accepted(batch);
    }, limits);
    const calls = [lanes.append(room, drafts("a"), retention), lanes.append(room, drafts("b"), retention)];
    for (const call of calls) await expect(call).rejects.toThrow("lost");
    fails = false;
    expect(idsOf(await lanes.append(room, drafts("c"), retention))).toEqual(["c"]);
  });
});
