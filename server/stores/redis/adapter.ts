import { createShardedAdapter } from "@socket.io/redis-adapter";
import type { Channels } from "./channels.ts";
import type { Commands } from "./commands.ts";
import type { Argument } from "./client.ts";

/** What Socket.IO's server takes as its `adapter` option. */
export type SocketAdapter = ReturnType<typeof createShardedAdapter>;

export interface SocketAdapterOptions {
  readonly commands: Commands;
  readonly channels: Channels;
  /** Gets why an emit did not reach the other nodes. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Makes the adapter by which stock emits reach all nodes. While Redis is away an emit reaches this node's own members,
 * and what asks the other nodes (`fetchSockets`, `serverSideEmit` with acknowledgement) ends with the adapter's time-out.
 */
export function createSocketAdapter({ commands, channels, onError }: SocketAdapterOptions): SocketAdapter {
  // The adapter catches nothing, so a promise of this client that rejects would end the process.
  const settle = (args: readonly Argument[], otherwise: unknown): Promise<unknown> =>
    commands.run(args).catch((error: unknown) => {
      onError?.(error);
      return otherwise;
    });
  const publisher = {
    /** Is never called: by this method the adapter recognises a client of the package `redis`. */
    sSubscribe: () => Promise.resolve(),
    sPublish: (channel: string, payload: Argument) => settle(["SPUBLISH", channel, payload], 0),
    // Only PUBSUB SHARDNUMSUB. "Two nodes" makes the adapter wait for one that stays silent, and say so.
    sendCommand: (args: readonly string[]) => settle(args, ["", "2"]),
  };
  // In the mode "dynamic" a room whose name looks like a socket's id (20 characters) would get no channel.
  return createShardedAdapter(publisher, channels, { subscriptionMode: "dynamic-private" });
}
