import type { IncomingMessage, ServerResponse } from "node:http";
import type { RoomName } from "../../shared/room-name.ts";
import type { Position } from "../../shared/position.ts";
import type { Session } from "../hub/session.ts";

/** Who asks for a stream of events, and for which room if the path says it. */
export interface StreamCaller {
  readonly session: Session;
  readonly room?: string | undefined;
}

/** Where rooms stand. */
export interface Positions {
  /** Of all of them, as a stream of the same rooms takes and gives it. */
  readonly cursor: string;
  readonly rooms: readonly {
    readonly room: RoomName;
    readonly position: Position;
    readonly cursor: string;
  }[];
}

/** Serves the streams of events to which HTTP routes lead. */
export interface EventStreams {
  /**
   * Answers a request with a stream; what is wrong with the request is said in the stream.
   *
   * @throws HubError `bad_request` for who comes back after a refusal
   */
  serve(request: IncomingMessage, response: ServerResponse, caller: StreamCaller): void;
  /**
   * Tells where rooms stand now, for a snapshot after which a stream goes on.
   *
   * @throws HubError `bad_request`, `bad_room`, `forbidden`, `unavailable`
   */
  position(request: IncomingMessage, caller: StreamCaller): Promise<Positions>;
}
