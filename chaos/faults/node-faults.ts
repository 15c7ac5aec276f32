import type { FaultMode } from "../fault-proxy.ts";
import type { FaultKind } from "./faults.ts";

/** What happens to one hub process, to its way to Redis, and to its clients. */
export const NODE_FAULTS: readonly FaultKind[] = [
  {
    ...onNode("hub-kill", "kill -9 of a hub, which is started again"),
    async run({ nodes }, node, lasts) {
      await nodes[node]!.end("SIGKILL");
      await lasts();
      await nodes[node]!.start();
    },
  },
  {
    ...onNode("hub-stop", "SIGSTOP of a hub, then SIGCONT"),
    async run({ nodes }, node, lasts) {
      nodes[node]!.signal("SIGSTOP");
      try {
        await lasts();
      } finally {
        nodes[node]!.signal("SIGCONT");
      }
    },
  },
  {
    ...onNode("hub-drain", "SIGTERM of a hub, which tells its clients and is started again"),
    async run({ nodes }, node, lasts) {
      await nodes[node]!.end("SIGTERM");
      await lasts();
      await nodes[node]!.start();
    },
  },
  toRedis("hub-cut", "a hub's way to Redis accepts and forwards nothing", "hang"),
  toRedis("hub-mute", "what a hub sends to Redis does not arrive, one way only", "hang-requests"),
  toRedis("hub-deaf", "what Redis sends to a hub does not arrive, one way only", "hang-answers"),
  toRedis("hub-slow", "everything from Redis and to it comes late", "delay"),
  toRedis("lost-pushes", "a hub gets answers from Redis, and no messages", "drop-pushes"),
  {
    ...onNode("hub-reset", "all connections of a hub to Redis are reset"),
    async run({ nodes }, node, lasts) {
      nodes[node]!.toRedis.resetAll();
      await lasts();
    },
  },
  {
    ...onNode("client-reset", "all connections of a hub's clients are reset, and refused for a while"),
    async run({ nodes }, node, lasts) {
      const { toHub } = nodes[node]!;
      await toHub.set("reset");
      toHub.resetAll();
      try {
        await lasts();
      } finally {
        await toHub.set("pass");
      }
    },
  },
];

function onNode(name: string, does: string): Omit<FaultKind, "run"> {
  return { name, does, strikes: "node", losesData: false };
}

function toRedis(name: string, does: string, mode: FaultMode): FaultKind {
  return {
    ...onNode(name, does),
    async run({ nodes }, node, lasts) {
      const proxy = nodes[node]!.toRedis;
      await proxy.set(mode);
      try {
        await lasts();
      } finally {
        await proxy.set("pass");
      }
    },
  };
}
