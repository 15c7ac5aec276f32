import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { range, ROOM, startCore, type Core } from "../../test/support/core.ts";
import { until } from "../../test/support/wait.ts";
import { HubError } from "../../shared/errors.ts";
import { MemoryStore } from "../stores/memory/memory-store.ts";

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

describe("a join", () => {
  it("without a start gets only what comes from now on", async () => {
    await core.publish(3);
    const reader = core.reader();
    const reply = await core.join(reader);
    await core.publish(2);
    expect(reply.position.offset).toBe(3);
    expect(reply).not.toHaveProperty("recovered");
    expect(reader.offsets).toEqual([4, 5]);
  });

  it("with rewind gets the last so many, or all there are", async () => {
    await core.publish(5);
    const [some, all, none] = [core.reader(), core.reader(), core.reader()];
    expect((await core.join(some, { rewind: 2 })).replayed).toBe(2);
    expect((await core.join(all, { rewind: 100 })).replayed).toBe(5);
    expect((await core.join(none, { rewind: 0 })).replayed).toBe(0);
    expect([some.offsets, all.offsets, none.offsets]).toEqual([[4, 5], range(1, 5), []]);
  });

  it("with rewind by time gets what is younger", async () => {
    let now = 1_000_000;
    await core.close();
    core = await startCore({ store: new MemoryStore({ now: () => now }) });
    await core.publish(2);
    now += 60_000;
    await core.publish(3);
    const reader = core.reader();
    await core.join(reader, { rewind: "30s" });
    expect(reader.offsets).toEqual([3, 4, 5]);
  });

  it("with since goes on after that position, replay before the acknowledgement, live after it", async () => {
    const first = core.reader();
    await core.join(first);
    await core.publish(2);
    const reply = await core.join(core.reader());
    await core.publish(3);
    const back = core.reader();
    const again = await core.join(back, { since: reply.position });
    await core.publish(1);
    expect(again).toMatchObject({ recovered: true, replayed: 3, position: { offset: 5 } });
    expect(back.log).toEqual([3, 4, 5, { joined: again }, 6]);
  });

  it("tells the gap before the first replayed message where the messages were trimmed", async () => {
    await core.close();
    core = await startCore({ rooms: { "stream:*": { messages: 3, ageMs: 3_600_000 } } });
    const { position } = await core.join(core.reader());
    await core.publish(10);
    const back = core.reader();
    const reply = await core.join(back, { since: position });
    expect(reply).toMatchObject({ recovered: false, reason: "trimmed", replayed: 3, firstOffset: 8 });
    expect(back.log[0]).toMatchObject({ from: 1, to: 7, reason: "trimmed" });
    expect(back.offsets).toEqual([8, 9, 10]);
  });

  it("is not refused because the node has heard less than the reader", async () => {
    await core.publish(2);
    await core.join(core.reader());
    core.broker.pass = () => [];
    await core.publish(3);
    const { head } = await core.broker.read(ROOM, { after: 0, limit: 0 });
    core.broker.pass = undefined;
    const back = core.reader();
    expect(await core.join(back, { since: head })).toMatchObject({ recovered: true, replayed: 0 });
    await core.publish(1);
    expect(back.offsets).toEqual([6]);
  });

  it("gets nothing that was removed, although the node has it still", async () => {
    await core.join(core.reader());
    await core.publish(5);
    const { messages } = await core.broker.read(ROOM, { after: 0, limit: 2 });
    const since = { epoch: messages[1]!.epoch, offset: 2, id: messages[1]!.id };
    await core.hub.clear({ id: "x" }, ROOM);
    const back = core.reader();
    const reply = await core.join(back, { since });
    expect(reply).toMatchObject({ recovered: false, reason: "trimmed", replayed: 0, firstOffset: 6 });
    expect(back.gaps).toMatchObject([{ from: 3, to: 5 }]);
  });

  it("is not answered with the place of a message that is gone while the node reads on", async () => {
    await core.close();
    core = await startCore({ rooms: { "stream:*": { messages: 3, ageMs: 3_600_000 } } });
    await core.join(core.reader());
    await core.publish(1);
    core.broker.pass = () => [];
    await core.publish(9);
    let readOn: (() => void) | undefined;
    core.broker.gate = (method) =>
      method === "read" ? new Promise<void>((resolve) => (readOn = resolve)) : undefined;
    core.broker.interrupt();
    await until(() => readOn !== undefined);
    core.broker.pass = undefined;
    core.broker.gate = undefined;
    const reply = core.join(core.reader());
    await new Promise((resolve) => setImmediate(resolve));
    readOn!();
    const { offset, id } = (await reply).position;
    expect([offset, id === ""]).toEqual([10, false]);
  });

  it("is answered with the log's place where the log went back and the node has not seen it yet", async () => {
    await core.publish(1);
    const member = core.reader();
    await core.join(member);
    core.broker.pass = (message) => [message.offset === 3 ? { ...message, id: "lost" } : message];
    await core.publish(2);
    const { head } = await core.broker.read(ROOM, { after: 0, limit: 1 });
    const reader = core.reader();
    const reply = await core.join(reader, { since: head });
    expect(reply).toMatchObject({
      position: { offset: 3, id: head.id },
      recovered: false,
      reason: "epoch_changed",
    });
    expect(member.gaps).toMatchObject([{ reason: "rolled_back", to: 2, epoch: reply.position.epoch }]);
  });

  it("ends at the head when all messages are removed under a reader", async () => {
    await core.publish(400);
    const reader = core.reader();
    let cleared = false;
    reader.drain = async () => {
      if (!cleared) await core.hub.clear({ id: "moderator" }, ROOM);
      cleared = true;
    };
    const reply = await core.join(reader, { rewind: 400 });
    expect(reply.position.offset).toBe(400);
    expect(reply).toMatchObject({ reason: "trimmed", replayed: 300 });
  });

  it("starts a reader of another log at the first message of this one", async () => {
    await core.publish(2);
    const back = core.reader();
    const reply = await core.join(back, { since: { epoch: "other", offset: 1, id: "x" } });
    expect(reply).toMatchObject({ recovered: false, reason: "epoch_changed", replayed: 2 });
    expect(back.gaps).toEqual([
      { room: ROOM, epoch: reply.position.epoch, from: 1, to: 0, reason: "epoch_changed" },
    ]);
  });

  it("replays any distance in pages, without a seam, while messages arrive", async () => {
    await core.publish(2_000);
    const reader = core.reader();
    const publishing = core.publish(200);
    reader.drain = () => new Promise((resolve) => setImmediate(resolve));
    const reply = await core.join(reader, { rewind: 100_000 });
    await publishing;
    expect(reader.offsets).toEqual(range(1, 2_200));
    expect(reply.replayed).toBe(reply.position.offset);
  });

  it("waits for a slow reader and goes on when it has taken something", async () => {
    await core.publish(1_000);
    const reader = core.reader();
    const waiting: (() => void)[] = [];
    reader.drain = () => new Promise((resolve) => waiting.push(resolve));
    const joined = core.join(reader, { rewind: 1_000 });
    await until(() => waiting.length > 0, 2_000);
    const before = reader.offsets.length;
    await core.publish(1);
    expect(reader.offsets).toHaveLength(before);
    reader.drain = () => Promise.resolve();
    waiting.forEach((go) => go());
    await joined;
    expect(reader.offsets).toEqual(range(1, 1_001));
  });

  it("waits in the middle of a page too, when its messages are large", async () => {
    await core.close();
    core = await startCore({ limits: { outboundBytes: 4_000 } });
    await core.publish(100);
    const reader = core.reader();
    let go = (): void => undefined;
    reader.drain = () => new Promise((resolve) => (go = resolve));
    const joined = core.join(reader, { rewind: 100 });
    await until(() => reader.offsets.length > 0, 1_000);
    expect(reader.offsets.length).toBeLessThan(20);
    reader.drain = () => Promise.resolve();
    go();
    await joined;
    expect(reader.offsets).toEqual(range(1, 100));
  });

  it("of a joined room starts it afresh", async () => {
    await core.publish(3);
    const reader = core.reader();
    await core.join(reader);
    await core.join(reader, { rewind: 2 });
    await core.publish(1);
    expect(reader.offsets).toEqual([2, 3, 4]);
  });

  it("ends with bad_request when the room is left meanwhile, and gives the room back", async () => {
    let open = (): void => undefined;
    core.broker.gate = () => new Promise((resolve) => (open = resolve));
    const reader = core.reader();
    const joined = core.join(reader).catch((error: unknown) => error);
    await until(() => core.broker.asked.subscribe === 1, 1_000);
    const left = core.hub.leave(reader, ROOM);
    core.broker.gate = undefined;
    open();
    expect(await joined).toMatchObject({ code: "bad_request" });
    await left;
    await core.publish(1);
    expect(reader.log).toEqual([]);
    expect(core.broker.asked.unsubscribe).toBe(1);
  });

  it("counts as a connection of the room once it is over", async () => {
    const connections = async (): Promise<number> =>
      (await core.hub.describe(core.reader().session, ROOM)).connections;
    let open = (): void => undefined;
    core.broker.gate = (method) =>
      method === "read" ? new Promise((resolve) => (open = resolve)) : undefined;
    const reader = core.reader();
    const joined = core.join(reader);
    await until(() => core.broker.asked.read === 1, 1_000);
    expect(await connections()).toBe(0);
    open();
    await joined;
    expect(await connections()).toBe(1);
    core.hub.disconnect(reader);
    expect(await connections()).toBe(0);
  });

  it("leaves no ghost when the connection dies in its last step", async () => {
    const reader = core.reader();
    core.broker.gate = () => core.hub.disconnect(reader);
    await expect(core.join(reader)).rejects.toMatchObject({ code: "bad_request" });
    core.broker.gate = undefined;
    await core.publish(1);
    expect(reader.log).toEqual([]);
    await until(() => core.broker.asked.unsubscribe === 1, 1_000);
  });

  it("fails with unavailable while the log can't be read, and works when it can", async () => {
    core.broker.gate = unavailable;
    const reader = core.reader();
    await expect(core.join(reader)).rejects.toMatchObject({ code: "unavailable" });
    core.broker.gate = undefined;
    await core.join(reader);
    await core.publish(1);
    expect(reader.offsets).toEqual([1]);
  });

  it("shares one read between all who ask for the same page", async () => {
    await core.publish(1_000);
    const { position } = await core.join(core.reader(), { rewind: 0 });
    expect(position.offset).toBe(1_000);
    const before = core.broker.asked.read;
    const readers = Array.from({ length: 50 }, () => core.reader());
    await Promise.all(readers.map((reader) => core.join(reader, { rewind: 1_000 })));
    expect(core.broker.asked.read - before).toBeLessThanOrEqual(4);
    for (const reader of readers) expect(reader.offsets).toEqual(range(1, 1_000));
  });
});
