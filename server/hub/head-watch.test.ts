import { afterEach, describe, expect, it } from "@jest/globals";
import { range, startCore, type Core } from "../../test/support/core.ts";
import { until } from "../../test/support/wait.ts";
import { parseRoomName, type RoomName } from "../../shared/room-name.ts";
import { HubError } from "../../shared/errors.ts";
import type { Broker, CheckQuery } from "./broker.ts";
import { HeadWatch } from "./head-watch.ts";

let end: (() => Promise<void> | void) | undefined;
afterEach(async () => end?.());

const own = async (): Promise<Core> => {
  const core = await startCore();
  end = () => core.close();
  return core;
};

describe("the watch over heads", () => {
  it("heals a room that lost its newest messages without a sign, in order and within 5 s", async () => {
    const core = await own();
    const reader = core.reader();
    await core.join(reader);
    await core.publish(2);
    core.broker.pass = () => [];
    await core.publish(3);
    core.broker.pass = undefined;
    await until(() => reader.offsets.length === 5, 5_000);
    expect(reader.offsets).toEqual(range(1, 5));
    expect(reader.gaps).toEqual([]);
    expect(core.backfilled).toEqual([3]);
  });

  it("gives messages that are on their way the time to come", async () => {
    const core = await own();
    const reader = core.reader();
    await core.join(reader);
    await core.publish(1);
    // What is asked next sees a message that comes only after the answer.
    const late: (() => void)[] = [];
    core.broker.pass = (message) => {
      late.push(() => core.broker.inject(message));
      return [];
    };
    core.broker.gate = async (method) => {
      if (method !== "heads" || late.length > 0) return;
      await core.publish(1);
      setTimeout(() => late.forEach((come) => come()), 20);
    };
    await until(() => reader.offsets.length === 2, 5_000);
    await until(() => core.broker.asked.heads >= 2, 5_000);
    expect(reader.offsets).toEqual([1, 2]);
    expect(core.backfilled).toEqual([]);
  });

  it("asks in one round for all rooms that nothing has proven for a while, and for no other", async () => {
    const asked: (readonly RoomName[])[] = [];
    const checked: (readonly CheckQuery[])[] = [];
    const broker = {
      heads: async (names: readonly RoomName[]) => {
        asked.push(names);
        if (asked.length === 1) throw new HubError("unavailable", "the store is away");
        return names.map((_, i) => (i === 0 ? undefined : { epoch: "e", offset: 2 * (i + 1), id: "x" }));
      },
      check: async (queries: readonly CheckQuery[]) => {
        checked.push(queries);
        return [];
      },
    };
    const rooms = range(1, 20).map((i) => ({
      name: parseRoomName(`chat:${i}`),
      last: { epoch: "e", offset: i, id: "x" },
      unprovenMs: () => (i % 2 === 0 ? 3_501 : 2_499),
      prove: () => {},
      judge: () => {},
    }));
    const watch = new HeadWatch(broker as unknown as Broker, { failure() {} } as never, () => rooms);
    end = () => watch.stop();
    watch.start();
    await until(() => checked.length === 1, 5_000);
    for (const names of asked) expect(names).toEqual(range(1, 10).map((i) => `chat:${2 * i}`));
    expect(checked).toEqual([[{ room: "chat:2", offset: 2 }]]);
  });

  it("goes on with the rooms of the part of the store that answers", async () => {
    const away = parseRoomName("chat:away");
    const [proven, compared]: string[][] = [[], []];
    const broker = {
      heads: async (names: readonly RoomName[]) =>
        names.map((name) => (name === away ? new HubError("unavailable", "a part") : undefined)),
      check: async (queries: readonly CheckQuery[]) => queries.map(() => ({})),
    };
    const rooms = [away, parseRoomName("chat:there")].map((name) => ({
      name,
      last: { epoch: "e", offset: 1, id: "x" },
      unprovenMs: () => 4_000,
      prove: () => proven!.push(name),
      judge: () => compared!.push(name),
    }));
    const watch = new HeadWatch(broker as unknown as Broker, { failure() {} } as never, () => rooms);
    end = () => watch.stop();
    watch.start();
    await until(() => compared!.length === 2, 5_000);
    expect([proven, compared]).toEqual([[], ["chat:there", "chat:there"]]);
  });
});
