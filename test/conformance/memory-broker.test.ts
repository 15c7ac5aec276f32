import { MemoryBroker } from "../../server/stores/memory/memory-broker.ts";
import { MemoryStore } from "../../server/stores/memory/memory-store.ts";
import { describeBroker } from "./broker.ts";

describeBroker("memory", async (options = {}) => {
  let now = Date.now();
  const store = new MemoryStore({ ...options, now: () => now });
  const [a, b] = [new MemoryBroker(store), new MemoryBroker(store)];
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
