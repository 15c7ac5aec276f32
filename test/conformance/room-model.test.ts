import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { LocalBroker } from "../../server/stores/local-broker.ts";
import { MemoryStore } from "../../server/stores/memory/memory-store.ts";
import { RedisBroker } from "../../server/stores/redis/redis-broker.ts";
import { DataFolders } from "../support/data-folders.ts";
import { PATIENT, RedisServer } from "../support/redis-server.ts";
import { RoomModel, type Item, type Step, type StepStart } from "../support/room-model.ts";
import { RoomStage, type OpenBrokers } from "../support/room-stage.ts";
import { until } from "../support/wait.ts";

const CLIENTS = 3;
/** So few that scripts run into both. */
const KEPT = 8;
const PAGE = 3;

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis.stop());
const folders = new DataFolders();
afterEach(() => folders.remove());

const node = fc.constantFrom(0 as const, 1 as const);
const client = fc.nat({ max: CLIENTS - 1 });
// Few ids and texts, so that they meet.
const item: fc.Arbitrary<Item> = fc.record(
  { id: fc.constantFrom("a", "b", "c"), text: fc.constantFrom("x", "y", "\u2028\n", "__proto__") },
  { requiredKeys: ["text"] },
);
const start: fc.Arbitrary<StepStart> = fc.oneof(
  fc.constant({ from: "now" } as const),
  fc.record({ from: fc.constant("rewind" as const), messages: fc.nat({ max: 12 }) }),
  fc.record({
    from: fc.constant("position" as const),
    back: fc.nat({ max: 12 }),
    is: fc.constantFrom("true" as const, "true" as const, "forged" as const, "of another epoch" as const),
  }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      node,
      items: fc.array(item, { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("join" as const), client, node, start }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("leave" as const), client }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("history" as const),
      node,
      side: fc.constantFrom("after" as const, "before" as const),
      offset: fc.nat({ max: 40 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "clear" } as const) },
  { weight: 1, arbitrary: fc.constant({ do: "restart" } as const) },
);

/** Does a step on the real thing and on the model, and compares what publishers and readers of the history get. */
async function perform(taken: Step, stage: RoomStage, model: RoomModel): Promise<void> {
  const clientOf = (index: number): (typeof model.clients)[number] => model.clients[index]!;
  switch (taken.do) {
    case "publish":
      expect(await stage.publish(taken.node, taken.items)).toEqual(model.publish(taken.items));
      break;
    case "join":
      await stage.join(taken.client, taken.node, taken.start, clientOf(taken.client));
      model.join(clientOf(taken.client), taken.start);
      break;
    case "leave":
      await stage.leave(taken.client);
      model.leave(clientOf(taken.client));
      break;
    case "history": {
      const { side, offset } = taken;
      expect(await stage.history(taken.node, side, offset)).toEqual(model.history(side, offset));
      break;
    }
    case "clear":
      await stage.clear();
      model.clear();
      break;
    case "restart":
      await stage.stop();
      await stage.start();
      model.clients.forEach((one) => model.leave(one));
  }
  // What comes over Redis comes a little later.
  await until(() => model.clients.every(({ told }, i) => stage.told(i).length >= told.length), 2_000).catch(
    () => {},
  );
  model.clients.forEach(({ told }, i) => expect(stage.told(i)).toEqual(told));
}

const memory = (): OpenBrokers => {
  const store = new MemoryStore();
  return async () => [new LocalBroker(store), new LocalBroker(store)];
};
const onDisk = (): OpenBrokers => {
  const folder = folders.make();
  let before: { close(): Promise<void> } | undefined;
  return async () => {
    await before?.close();
    const store = await folders.open({ folder });
    before = store;
    return [new LocalBroker(store), new LocalBroker(store)];
  };
};
// The model knows no store that is late, which a busy machine can make of any.
const patient = { ...DEFAULT_LIMITS, ...PATIENT };
const onRedis = (): OpenBrokers => async () => [
  new RedisBroker({ url: redis.url, limits: patient }),
  new RedisBroker({ url: redis.url, limits: patient }),
];

test.each([
  ["memory", memory, 400],
  ["disk", onDisk, 60],
  ["Redis", onRedis, 60],
] as const)(
  "a room over %s does what the model of a room does, whatever is done to it",
  async (_name, store, numRuns) => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (script) => {
      const stage = new RoomStage({ open: store(), messages: KEPT, pageLimit: PAGE }, CLIENTS);
      const model = new RoomModel(CLIENTS, KEPT, PAGE);
      await stage.start();
      try {
        for (const taken of script) await perform(taken, stage, model);
        expect(stage.failures).toEqual([]);
      } finally {
        await stage.stop();
      }
    });
    await fc.assert(property, { numRuns });
  },
  120_000,
);
