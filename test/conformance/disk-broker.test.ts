import { afterEach } from "@jest/globals";
import { LocalBroker } from "../../server/stores/local-broker.ts";
import { DataFolders } from "../support/data-folders.ts";
import { describeBroker } from "./broker.ts";
import { describeLocalStore } from "./local-store.ts";

describeBroker("disk", async (options = {}) => {
  let now = Date.now();
  const folders = new DataFolders();
  const store = await folders.open({ ...options, now: () => now });
  const [a, b] = [new LocalBroker(store), new LocalBroker(store)];
  return {
    a,
    b,
    pass: async (ms) => {
      now += ms;
    },
    close: async () => {
      await Promise.all([a.close(), b.close()]);
      await folders.remove();
    },
  };
});

const folders = new DataFolders();
afterEach(() => folders.remove());

describeLocalStore("on disk", (options) => folders.open(options));
