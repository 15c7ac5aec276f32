import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { range, ROOM, startCore, type Core } from "../../test/support/core.ts";
import { until } from "../../test/support/wait.ts";
import { parseRoomName } from "../../shared/room-name.ts";

let core: Core;
beforeEach(async () => {
  core = await startCore();
});
afterEach(async () => {
  expect(core.failures).toEqual([]);
  await core.close();
});

describe("the rooms of one connection", () => {
  it("are 128 and not one more", async () => {
    const reader = core.reader();
    for (const i of range(1, 128)) await core.join(reader, {}, parseRoomName(`stream:r${i}`));
    await expect(core.join(reader, {}, parseRoomName("stream:r129"))).rejects.toMatchObject({
      code: "too_many_rooms",
    });
    await core.hub.leave(reader, parseRoomName("stream:r1"));
    await core.join(reader, {}, parseRoomName("stream:r129"));
    await core.publish(1, parseRoomName("stream:r129"));
    expect(reader.offsets).toEqual([1]);
  });

  it("run one join after the other in one room", async () => {
    await core.publish(10);
    const reader = core.reader();
    let go = (): void => undefined;
    reader.drain = () => new Promise((resolve) => (go = resolve));
    const first = core.join(reader, { rewind: 10 });
    const second = core.join(reader, { rewind: 5 });
    await until(() => reader.offsets.length === 10, 1_000);
    reader.drain = () => Promise.resolve();
    go();
    const joined = [{ joined: await first }, { joined: await second }];
    expect(reader.log).toEqual([...range(1, 10), joined[0], ...range(6, 10), joined[1]]);
  });

  it("end with a leave, the join that runs and the one that waits for it", async () => {
    await core.publish(10);
    const reader = core.reader();
    let go = (): void => undefined;
    reader.drain = () => new Promise((resolve) => (go = resolve));
    const joins = [core.join(reader, { rewind: 10 }), core.join(reader, { rewind: 5 })].map((join) =>
      join.catch((error: unknown) => error),
    );
    await until(() => reader.offsets.length === 10, 1_000);
    const left = core.hub.leave(reader, ROOM);
    go();
    expect(await Promise.all(joins)).toMatchObject([{ code: "bad_request" }, { code: "bad_request" }]);
    await left;
    await core.publish(1);
    expect(reader.log).toEqual(range(1, 10));
    expect(core.broker.asked.unsubscribe).toBe(1);
  });

  it("give back what they hold when they are joined again and left", async () => {
    const reader = core.reader();
    for (const _ of range(1, 3)) await core.join(reader);
    await core.hub.leave(reader, ROOM);
    expect(core.broker.asked).toMatchObject({ subscribe: 1, unsubscribe: 1 });
  });

  it("are all left when the connection ends", async () => {
    const reader = core.reader();
    await core.join(reader);
    core.hub.disconnect(reader);
    await core.publish(1);
    expect(reader.offsets).toEqual([]);
    await until(() => core.broker.asked.unsubscribe === 1, 1_000);
  });

  it("survive any sequence of joins, leaves and messages with exactly what was live", async () => {
    const step = fc.constantFrom("join", "rejoin", "leave", "publish");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const own = await startCore();
        const reader = own.reader();
        let joined = false;
        let offset = 0;
        const expected: number[] = [];
        for (const what of steps) {
          if (what === "join" || what === "rejoin") {
            await own.join(reader, what === "rejoin" ? { rewind: 1 } : {});
            if (what === "rejoin" && offset > 0) expected.push(offset);
            joined = true;
          } else if (what === "leave") {
            await own.hub.leave(reader, ROOM);
            joined = false;
          } else {
            await own.publish(1);
            offset += 1;
            if (joined) expected.push(offset);
          }
        }
        expect(reader.offsets).toEqual(expected);
        await own.close();
      }),
      { numRuns: 100 },
    );
  });
});
