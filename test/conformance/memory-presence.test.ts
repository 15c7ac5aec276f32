import { LocalMembers } from "../../server/stores/local-members.ts";
import { LocalPresence } from "../../server/stores/local-presence.ts";
import { describePresence } from "./presence.ts";
import { MembersEar, type PresenceNode } from "./presence-nodes.ts";

describePresence("memory", async () => {
  const members = new LocalMembers();
  const node = async (): Promise<PresenceNode> => {
    const [store, ear] = [new LocalPresence(members), new MembersEar()];
    await store.start(ear);
    return { store, ear, hold: async () => {} };
  };
  const [a, b] = [await node(), await node()];
  return {
    a,
    b,
    close: async () => {
      await Promise.all([a.store.close(), b.store.close()]);
    },
  };
});
