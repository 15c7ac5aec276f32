import type { From, Message, Meta } from "../../shared/message.ts";
import type { Gap, JoinReply, RoomClosed } from "../../shared/protocol.ts";

/** What a room's events carry where nothing is known of them. Your own map may be an interface or a type. */
export interface AnyEvents {
  readonly [event: string]: unknown;
}

/** What is said in rooms `chat:*`. */
export interface ChatEvents {
  readonly message: { readonly text: string };
  /** Ephemeral, see `room.typing()`. */
  readonly typing: object;
}

/** What is said in rooms `stream:*`. */
export interface StreamEvents {
  readonly log: {
    readonly message: string;
    readonly level: string;
    readonly program: string;
    /** ISO 8601. */
    readonly timestamp: string;
    /** `stdout`, `stderr` or a file. */
    readonly source?: string;
  };
  /** A program has ended. */
  readonly exit: { readonly program: string; readonly code: number | null; readonly signal: string | null };
  /** A program begins to send, and every 5 s that it still may, or that it has ended well; ephemeral. */
  readonly source: { readonly program: string; readonly state: "live" | "ended" };
}

/** The names of a map's events. */
export type EventOf<Events extends object> = keyof Events & string;

/** Hears every message of a room; the event's name tells the type of the data. */
export type AnyListener<Events extends object = AnyEvents> = (
  ...message: { [E in EventOf<Events>]: [event: E, data: Events[E], meta: Meta] }[EventOf<Events>]
) => void;

/** A message as history gives it; its `event` tells the type of its `data`. */
export type RoomMessage<Events extends object = AnyEvents> = {
  [E in EventOf<Events>]: Message & { readonly event: E; readonly data: Events[E] };
}[EventOf<Events>];

/**
 * How a room stands: not joined, on its way in, up to date and live, on its way back after a lost connection, or out of it
 * because the hub or the client ended it.
 */
export type RoomStatus = "left" | "joining" | "live" | "resuming" | "closed";

/** What a room tells beside its messages. */
export interface RoomNotices {
  /** Everything that was missing has come; also after every return. */
  readonly "room:joined": (reply: JoinReply) => void;
  /** Messages will not come. It is told before the first message that follows them. */
  readonly "room:gap": (gap: Gap) => void;
  /** The hub ended the membership; nobody tries again. A join that is being waited for rejects instead. */
  readonly "room:closed": (closed: RoomClosed) => void;
  readonly "room:status": (status: RoomStatus) => void;
  /** Somebody has begun to type, or stopped; `typists` are those who type now. */
  readonly "room:typing": (typists: readonly From[]) => void;
}
