import { describe, expect, test } from "@jest/globals";
import { parseRoomName } from "../../../shared/room-name.ts";
import { EMPTY_IDENTITY_MS, IDENTITY_MS } from "../../../shared/room-options.ts";
import type { Appended, BrokerHandler, Draft, StoredMessage } from "../../hub/broker.ts";
import { MemoryBroker } from "./memory-broker.ts";
import { MemoryStore } from "./memory-store.ts";

const room = parseRoomName("chat:lobby");
const retention = { messages: 100, ageMs: 10_000 };
const draft = (id: string, keyed = false): Draft => ({ id, keyed, head: `["log","${id}",{` });

function storeAt(start: number): { store: MemoryStore; clock: { now: number } } {
  const clock = { now: start };
  return { store: new MemoryStore({ idempotencyMs: 1_000, now: () => clock.now }), clock };
}

function placeOf(result: Appended | undefined): {
  offset: number;
  epoch: string;
  time: number;
  duplicate: boolean;
} {
  if (result?.ok !== true) throw new Error("not appended");
  return { ...result.position, time: result.time, duplicate: result.duplicate };
}

function handler(onMessage: (message: StoredMessage) => void): BrokerHandler {
  return { onMessage, onEphemeral: () => {}, onAway: () => {}, onInterruption: () => {} };
}

describe("the store in memory", () => {
  test("lets the time stand still while the clock runs back", () => {
    const { store, clock } = storeAt(50_000);
    store.append(room, [draft("a")], retention);
    clock.now = 20_000;
    expect(placeOf(store.append(room, [draft("b")], retention)[0]).time).toBe(50_000);
    expect(store.read(room, { youngerThanMs: 1, limit: 9 }).messages).toHaveLength(2);
    clock.now = 50_001;
    expect(placeOf(store.append(room, [draft("c")], retention)[0]).time).toBe(50_001);
  });

  test("forgets a message 1 ms after its age, and a room's identity when its time is over", () => {
    const { store, clock } = storeAt(0);
    const { epoch } = placeOf(store.append(room, [draft("a")], retention)[0]);
    clock.now = 10_000;
    expect(store.read(room, { after: 0, limit: 9 }).messages).toHaveLength(1);
    clock.now = 10_001;
    expect(store.read(room, { after: 0, limit: 9 }).messages).toHaveLength(0);
    clock.now = 10_000 + IDENTITY_MS - 1;
    expect(store.check(room, 1)).toMatchObject({ head: { epoch, offset: 1 }, idAt: "a", firstOffset: 2 });
    clock.now += 1;
    expect(store.rooms({ prefix: "", limit: 9 }).rooms).toEqual([]);
    const after = store.check(room, 1);
    expect(after.head.offset).toBe(0);
    expect(after.head.epoch).not.toBe(epoch);
  });

  test("keeps the identity of a room that was only asked for, and then lets it go", () => {
    const { store, clock } = storeAt(0);
    const { epoch } = store.check(room, 0).head;
    clock.now = EMPTY_IDENTITY_MS - 1;
    expect(store.check(room, 0).head.epoch).toBe(epoch);
    clock.now += 1;
    expect(store.check(room, 0).head.epoch).not.toBe(epoch);
  });

  test("remembers a keyed id for one window at least and two at most", () => {
    for (const offset of [0, 1, 500, 999]) {
      const { store, clock } = storeAt(0);
      store.check(room, 0);
      clock.now = offset;
      store.append(room, [draft("key", true)], retention);
      clock.now = offset + 999;
      expect(placeOf(store.append(room, [draft("key", true)], retention)[0]).duplicate).toBe(true);
      clock.now = offset + 2_000;
      expect(placeOf(store.append(room, [draft("key", true)], retention)[0]).duplicate).toBe(false);
    }
  });

  test("delivers in the order of the offsets although a handler appends", async () => {
    const { store } = storeAt(0);
    const [a, b] = [new MemoryBroker(store), new MemoryBroker(store)];
    const heard: string[] = [];
    await a.start(
      handler(({ id }) => {
        heard.push(`a:${id}`);
        if (id === "first") void a.append(room, [draft("answer")], retention);
      }),
    );
    await b.start(handler(({ id }) => void heard.push(`b:${id}`)));
    await Promise.all([a.subscribe(room), b.subscribe(room)]);
    await a.append(room, [draft("first"), draft("second")], retention);
    expect(heard).toEqual(["a:first", "b:first", "a:second", "b:second", "a:answer", "b:answer"]);
    await Promise.all([a.close(), b.close()]);
  });

  test("tells what a handler throws, and a closed node nothing", async () => {
    const { store } = storeAt(0);
    const errors: unknown[] = [];
    const broker = new MemoryBroker(store, { onError: (error) => errors.push(error) });
    const mistake = new Error("a handler's mistake");
    await broker.start(
      handler(() => {
        throw mistake;
      }),
    );
    await broker.subscribe(room);
    await broker.append(room, [draft("a")], retention);
    expect(errors).toEqual([mistake]);
    await broker.close();
    store.append(room, [draft("b")], retention);
    expect(errors).toEqual([mistake]);
  });
});
