import { HubError } from "./errors.ts";

/** Where a kept message stands: the identity of the room's log, 1, 2, 3 … in it, and the message's own id. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
  /** Empty at offset 0, before the first message. */
  readonly id: string;
}

const EPOCH = /^[A-Za-z0-9]{1,32}$/;
const ID = /^[A-Za-z0-9_.:-]{1,64}$/;

/** Tells whether text may be a message's id. */
export function isMessageId(id: unknown): id is string {
  return typeof id === "string" && ID.test(id);
}

/** Writes a position as text: `<epoch>.<offset>.<id>`. */
export function formatCursor(position: Position): string {
  return `${position.epoch}.${position.offset}.${position.id}`;
}

/**
 * Reads a position in either of its forms, the object or the cursor.
 *
 * @throws HubError `bad_request`
 */
export function parsePosition(input: unknown): Position {
  const position: unknown = typeof input === "string" ? splitCursor(input) : input;
  if (typeof position === "object" && position !== null) {
    const { epoch, offset, id } = position as Partial<Record<keyof Position, unknown>>;
    const whole = typeof offset === "number" && Number.isSafeInteger(offset) && offset >= 0;
    if (typeof epoch === "string" && EPOCH.test(epoch) && whole) {
      if (offset === 0 ? id === "" : isMessageId(id)) return { epoch, offset, id: id as string };
    }
  }
  throw new HubError(
    "bad_request",
    "a position is { epoch, offset, id } or its cursor <epoch>.<offset>.<id>",
  );
}

/** Takes a cursor apart, unchecked; undefined if it is none. */
export function splitCursor(cursor: string): Position | undefined {
  const match = /^([^.]+)\.(0|[1-9]\d{0,15})\.(.*)$/s.exec(cursor);
  return match === null ? undefined : { epoch: match[1]!, offset: Number(match[2]), id: match[3]! };
}
