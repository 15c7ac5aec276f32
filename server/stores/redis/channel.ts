import type { RoomName } from "../../../shared/room-name.ts";
import type { Connection } from "./connection.ts";
import { wireReader } from "./wire.ts";

export type Listener = (message: Buffer, channel: Buffer) => void;

/** The hub's interest in the channel of a room. */
export interface Hold {
  readonly room: RoomName;
  readonly read: ReturnType<typeof wireReader>;
  /** Subscribe calls that have not been answered. */
  waiting: number;
  /** One of them has been told that messages arrive. */
  confirmed: boolean;
}

/** A sharded channel of Redis, and who wants it here. */
export interface Channel {
  readonly name: string;
  hold: Hold | undefined;
  readonly listeners: Set<Listener>;
  linger: NodeJS.Timeout | undefined;
  /**
   * The connection on which Redis last confirmed the subscription. After a reconnect the client subscribes by itself to
   * what it had, except in a cluster, where every connection is a new one.
   */
  at: Connection | undefined;
  settling: boolean;
  waiters: (() => void)[];
}

export function newChannel(name: string): Channel {
  return {
    name,
    hold: undefined,
    listeners: new Set(),
    linger: undefined,
    at: undefined,
    settling: false,
    waiters: [],
  };
}

export function newHold(room: RoomName): Hold {
  return { room, read: wireReader(room), waiting: 0, confirmed: false };
}

export function isWanted({ hold, listeners, linger }: Channel): boolean {
  return hold !== undefined || listeners.size > 0 || linger !== undefined;
}
