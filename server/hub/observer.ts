import type { Gap } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";

/** Hears what happens inside the core and the stores, for logs and figures. No method may throw. */
export interface Observer {
  /** The members of a room were told that messages will not come. */
  gap(gap: Gap): void;
  /** This node had missed messages and fetched them. */
  backfilled(room: RoomName, messages: number): void;
  /** A connection was closed because it took too little of what was sent to it. */
  slow(connection: string): void;
  /** The operator should know this of the way in which the hub or its store is set up. */
  warning(text: string): void;
  /** Something failed that no caller waits for. */
  failure(what: string, error: unknown): void;
}
