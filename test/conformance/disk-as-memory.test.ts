import { afterEach, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { LocalStore } from "../../server/stores/local-broker.ts";
import { MemoryStore } from "../../server/stores/memory/memory-store.ts";
import { parseRoomName } from "../../shared/room-name.ts";
import { EMPTY_IDENTITY_MS, IDENTITY_MS } from "../../shared/room-options.ts";
import { DataFolders } from "../support/data-folders.ts";
import { draft } from "../support/disk-bench.ts";

/** Longer than all short waits of a script, and shorter than half of the long ones: between one and two windows both may be. */
const IDEMPOTENCY_MS = 600_000;
const ROOMS = ["chat:a", "chat:b"].map((name) => parseRoomName(name));

const folders = new DataFolders();
afterEach(() => folders.remove());

const room = fc.constantFrom(...ROOMS);
const retention = fc.record({
  messages: fc.constantFrom(0, 1, 3, 10, 1_000),
  ageMs: fc.constantFrom(50, 2_000, 1_000_000),
});
/** Few ids, so that many come again; the text under one id differs now and then. */
const message = fc.record({
  id: fc.constantFrom("a", "b", "c", "d"),
  keyed: fc.boolean(),
  odd: fc.boolean(),
});
const limit = fc.integer({ min: 0, max: 12 });
const offset = fc.integer({ min: 0, max: 30 });
const query = fc.oneof(
  fc.record({ after: offset, limit }),
  fc.record({ before: offset, limit }),
  fc.record({ youngerThanMs: fc.constantFrom(1, 49, 50, 51, 1_999, 10_000), limit }),
);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ room, messages: fc.array(message, { minLength: 1, maxLength: 6 }), retention }),
  },
  { weight: 3, arbitrary: fc.record({ room, query }) },
  { weight: 2, arbitrary: fc.record({ room, offset }) },
  { weight: 1, arbitrary: fc.record({ room, clear: fc.constant(true) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      pass: fc.constantFrom(1, 49, 51, 999, 1_000, 2_001, EMPTY_IDENTITY_MS, IDENTITY_MS + 2_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ upkeep: fc.constantFrom("sweep", "restart") }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What a store answers to a step, with its epochs numbered as they come up. */
async function answer(store: LocalStore, one: Step, epochs: Map<string, number>): Promise<unknown> {
  const numbered = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value).replaceAll(/\b[0-9a-f]{16}\b/g, (epoch) => {
        if (!epochs.has(epoch)) epochs.set(epoch, epochs.size + 1);
        return `epoch ${epochs.get(epoch)}`;
      }),
    );
  if ("messages" in one) {
    const drafts = one.messages.map(({ id, keyed, odd }) => ({ ...draft(odd ? `${id}!` : id, keyed), id }));
    return numbered(await store.append(one.room, drafts, one.retention));
  }
  if ("query" in one) return numbered(await store.read(one.room, one.query));
  // A room that is not there may be made by one store as it is cleared, and by the other one later.
  if ("clear" in one) return numbered([await store.check(one.room, 0), await store.clear(one.room)]);
  if ("offset" in one)
    return numbered([await store.check(one.room, one.offset), store.rooms({ prefix: "", limit: 9 })]);
  return undefined;
}

test("a store on disk answers as one in memory does, whatever is asked, swept and restarted", async () => {
  const check = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (script) => {
    let now = 1_000_000;
    const options = { idempotencyMs: IDEMPOTENCY_MS, now: () => now };
    const memory = new MemoryStore(options);
    const folder = folders.make();
    let disk = await folders.open({ folder, ...options });
    const [ofMemory, ofDisk] = [new Map<string, number>(), new Map<string, number>()];
    for (const one of script) {
      if ("pass" in one) now += one.pass;
      else if ("upkeep" in one) {
        if (one.upkeep === "sweep") await disk.sweep();
        else {
          await disk.close();
          disk = await folders.open({ folder, ...options });
        }
      } else expect(await answer(disk, one, ofDisk)).toEqual(await answer(memory, one, ofMemory));
    }
    await disk.close();
  });
  await fc.assert(check, { numRuns: 60 });
}, 60_000);
