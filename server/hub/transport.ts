import type { Position } from "../../shared/position.ts";
import type { Closing, Gap } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { EphemeralMessage, StoredMessage } from "./broker.ts";
import type { Session } from "./session.ts";

/** What goes out to a subscriber of a room. */
export type Push =
  | { readonly kind: "message"; readonly message: StoredMessage }
  | { readonly kind: "ephemeral"; readonly message: EphemeralMessage }
  /** `position` is the place before the next message; its id is empty where the message there is not known. */
  | { readonly kind: "gap"; readonly gap: Gap; readonly position: Position }
  /** A whole packet of the hub itself: `["room:members", change]`. */
  | { readonly kind: "members"; readonly packet: string };

/** One connection as the hub sees it. No method throws. */
export interface Subscriber {
  readonly session: Session;
  /** Sends to this connection alone, after all that was sent to it before. */
  send(push: Push): void;
  /** Sends messages of a room's log to this connection alone, likewise; oldest first. */
  replay(messages: readonly StoredMessage[]): void;
  /**
   * Resolves when the connection can take more, at once if it can now, and also when it has ended. A connection that
   * takes nothing for `stalledMs` is closed with `slow` by its transport.
   */
  drained(): Promise<void>;
  /** From now on the transport delivers the room's pushes to this connection. */
  goLive(room: RoomName): void;
  /** From now on it no longer does. */
  leave(room: RoomName): void;
}

/** A way into the hub and out of it: Socket.IO, streams of events, plain WebSocket. */
export interface Transport {
  /** Hands a push to every connection that is live in the room; must not throw. */
  deliver(room: RoomName, push: Push): void;
  /** Tells every connection that the node stops, and ends it. */
  close(closing: Closing): Promise<void>;
}
