import { describe, expect, test } from "@jest/globals";
import { parseRoomName } from "../../shared/room-name.ts";
import { EMPTY_IDENTITY_MS, IDENTITY_MS } from "../../shared/room-options.ts";
import type { BrokerHandler, Draft, HistoryQuery, StoredMessage } from "../../server/hub/broker.ts";
import { until } from "../support/wait.ts";
import { LocalBroker, type LocalStore } from "../../server/stores/local-broker.ts";

const room = parseRoomName("chat:lobby");
const retention = { messages: 100, ageMs: 10_000 };
const draft = (id: string, keyed = false): Draft => ({ id, keyed, head: `["log","${id}",{` });

export interface StoreOptions {
  readonly idempotencyMs: number;
  readonly now: () => number;
}

interface Place {
  readonly offset: number;
  readonly epoch: string;
  readonly time: number;
  readonly duplicate: boolean;
}

/** Appends one message and tells where it is. */
async function append(store: LocalStore, message: Draft): Promise<Place> {
  const [result] = await store.append(room, [message], retention);
  if (result?.ok !== true) throw new Error("not appended");
  return { ...result.position, time: result.time, duplicate: result.duplicate };
}

async function read(store: LocalStore, query: HistoryQuery): Promise<readonly StoredMessage[]> {
  return (await store.read(room, query)).messages;
}

function handler(onMessage: (message: StoredMessage) => void): BrokerHandler {
  return { onMessage, onEphemeral: () => {}, onAway: () => {}, onInterruption: () => {} };
}

/** What every store in one process promises beside what brokers do, at a clock that the test sets. */
export function describeLocalStore(
  name: string,
  makeStore: (options: StoreOptions) => Promise<LocalStore>,
): void {
  const storeAt = async (start: number): Promise<{ store: LocalStore; clock: { now: number } }> => {
    const clock = { now: start };
    return { store: await makeStore({ idempotencyMs: 1_000, now: () => clock.now }), clock };
  };

  describe(`the store ${name}`, () => {
    test("lets the time stand still while the clock runs back", async () => {
      const { store, clock } = await storeAt(50_000);
      await append(store, draft("a"));
      clock.now = 20_000;
      expect((await append(store, draft("b"))).time).toBe(50_000);
      expect(await read(store, { youngerThanMs: 1, limit: 9 })).toHaveLength(2);
      clock.now = 50_001;
      expect((await append(store, draft("c"))).time).toBe(50_001);
    });

    test("forgets a message 1 ms after its age, and a room's identity when its time is over", async () => {
      const { store, clock } = await storeAt(0);
      const { epoch } = await append(store, draft("a"));
      clock.now = 10_000;
      expect(await read(store, { after: 0, limit: 9 })).toHaveLength(1);
      clock.now = 10_001;
      expect(await read(store, { after: 0, limit: 9 })).toHaveLength(0);
      clock.now = 10_000 + IDENTITY_MS - 1;
      expect(await store.check(room, 1)).toMatchObject({
        head: { epoch, offset: 1 },
        idAt: "a",
        firstOffset: 2,
      });
      clock.now += 1;
      expect(store.rooms({ prefix: "", limit: 9 }).rooms).toEqual([]);
      const after = await store.check(room, 1);
      expect(after.head.offset).toBe(0);
      expect(after.head.epoch).not.toBe(epoch);
    });

    test("never gives a message back that was over age when the age is made longer", async () => {
      const { store, clock } = await storeAt(0);
      await store.append(room, [draft("short")], { ...retention, ageMs: 50 });
      clock.now = 51;
      await store.append(room, [draft("long")], { ...retention, ageMs: 10_000 });
      expect((await read(store, { after: 0, limit: 9 })).map(({ id }) => id)).toEqual(["long"]);
    });

    test("keeps the identity of a room that was only asked for, and then lets it go", async () => {
      const { store, clock } = await storeAt(0);
      const { epoch } = (await store.check(room, 0)).head;
      clock.now = EMPTY_IDENTITY_MS - 1;
      expect((await store.check(room, 0)).head.epoch).toBe(epoch);
      clock.now += 1;
      expect((await store.check(room, 0)).head.epoch).not.toBe(epoch);
    });

    test("remembers a keyed id for one window at least and two at most", async () => {
      for (const offset of [0, 1, 500, 999]) {
        const { store, clock } = await storeAt(0);
        await store.check(room, 0);
        clock.now = offset;
        await append(store, draft("key", true));
        clock.now = offset + 999;
        expect((await append(store, draft("key", true))).duplicate).toBe(true);
        clock.now = offset + 2_000;
        expect((await append(store, draft("key", true))).duplicate).toBe(false);
      }
    });

    test("delivers in the order of the offsets although a handler appends", async () => {
      const { store } = await storeAt(0);
      const [a, b] = [new LocalBroker(store), new LocalBroker(store)];
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
      await until(() => heard.length === 6);
      expect(heard).toEqual(["a:first", "b:first", "a:second", "b:second", "a:answer", "b:answer"]);
      await Promise.all([a.close(), b.close()]);
    });

    test("tells what a handler throws, and a closed node nothing", async () => {
      const { store } = await storeAt(0);
      const errors: unknown[] = [];
      const broker = new LocalBroker(store, { onError: (error) => errors.push(error) });
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
      await append(store, draft("b"));
      expect(errors).toEqual([mistake]);
    });
  });
}
