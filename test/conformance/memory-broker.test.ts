import { LocalBroker } from "../../server/stores/local-broker.ts";
import { MemoryStore } from "../../server/stores/memory/memory-store.ts";
import { describeBroker } from "./broker.ts";
import { describeLocalStore } from "./local-store.ts";

describeBroker("memory", async (options = {}) => {
  let now = Date.now();
  const store = new MemoryStore({ ...options, now: () => now });
  const [a, b] = [new LocalBroker(store), new LocalBroker(store)];
  return {
    a,
    b,
    pass: async (ms) => {
      now += ms;
    },
    close: async () => {
      await Promise.all([a.close(), b.close()]);
    },
  };
});

describeLocalStore("in memory", async (options) => new MemoryStore(options));
