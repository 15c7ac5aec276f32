import type { Position } from "../../shared/position.ts";
import type { Rewind } from "../../shared/protocol.ts";

/** How a room is joined. */
export interface RoomOptions {
  /** Where the first join starts, as `rewind` does; later ones go on where the room stood. */
  readonly since?: Position | string;
  /** The last so many messages, or those of the last length of time (`"5m"`). */
  readonly rewind?: Rewind;
  /** Be a member that others see, and see them in `room.members`. */
  readonly presence?: boolean;
  /** What others see of this member beside its name: any JSON up to 1 KiB. */
  readonly info?: unknown;
  /** A join in which nothing arrives for so long is asked again; 10,000 ms if it is missing. */
  readonly silenceMs?: number;
}
