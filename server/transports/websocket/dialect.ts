import { eventOf, messageOf } from "../../../shared/packet.ts";
import type { EphemeralMessage, StoredMessage } from "../../hub/broker.ts";
import type { Framing } from "../fan-out.ts";

/** A message as the one frame of its kind of room; undefined for what that kind has no words for. */
export type Frame = Buffer | undefined;

/** What rooms of a kind show, and how. */
interface Dialect {
  readonly event: string;
  readonly entry: (message: ReturnType<typeof messageOf>) => object;
}

const DIALECTS: Readonly<Record<string, Dialect>> = {
  "stream:": {
    event: "log",
    entry: ({ data, time }) => {
      const { message, level, program, timestamp } = fieldsOf(data, "message");
      return {
        message: textOf(message),
        level: textOf(level ?? "INFO"),
        program: textOf(program ?? "api"),
        timestamp: textOf(timestamp ?? new Date(time).toISOString()),
      };
    },
  },
  "chat:": {
    event: "message",
    entry: ({ data, from }) => ({
      message: textOf(fieldsOf(data, "text")["text"]),
      username: from?.name ?? "",
    }),
  },
};

/** Data is an object by custom only: what is none is taken for its main field. */
function fieldsOf(data: unknown, main: string): Readonly<Record<string, unknown>> {
  const isObject = typeof data === "object" && data !== null && Object.hasOwn(data, main);
  return isObject ? { ...data } : { [main]: data };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

const frames = new WeakMap<object, { readonly frame: Frame }>();

/** Writes a message once, whatever the number of those who get it. */
export function frameFor(message: StoredMessage | EphemeralMessage): Frame {
  const known = frames.get(message);
  if (known !== undefined) return known.frame;
  const dialect = DIALECTS[message.room.slice(0, message.room.indexOf(":") + 1)];
  const isShown = dialect !== undefined && eventOf(message.packet) === dialect.event;
  const frame = isShown ? Buffer.from(JSON.stringify(dialect.entry(messageOf(message.packet)))) : undefined;
  frames.set(message, { frame });
  return frame;
}

/** How plain WebSockets write messages; ws adds a header of a few bytes to each. */
export const FRAMES: Framing<Frame, readonly Frame[]> = {
  frame: frameFor,
  join: (some) => some,
};
