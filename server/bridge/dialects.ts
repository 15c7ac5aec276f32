import { decode } from "notepack.io";
import { HubError } from "../../shared/errors.ts";
import { isWholeMsgpack } from "../stores/redis/msgpack-shape.ts";

/** What publishers of other systems say: each a format, and the channels of Redis on which they say it. */
export const DIALECT_NAMES = ["socketio", "eventstream", "emitter"] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];

/** What was published, as a message for a room; not checked yet, but for its types. */
export interface Incoming {
  /** As the publisher named it: without a colon it is a stream. */
  readonly room: string;
  readonly event: string;
  readonly data: unknown;
}

export interface Dialect {
  /** A channel, or with `isPattern` a glob over channels. */
  readonly channel: string;
  readonly isPattern: boolean;
  /** @throws HubError `bad_request` for what is not of this dialect */
  readonly read: (message: Buffer, channel: string) => readonly Incoming[];
}

const SOCKETIO_CHANNEL = "socketio_";
/** What `@socket.io/redis-emitter` gives as the sender; servers with the same adapter give other names. */
const EMITTER = "emitter";
/** Of the Socket.IO protocol, without binary data. */
const EVENT_PACKET = 2;

export const DIALECTS: Readonly<Record<DialectName, Dialect>> = {
  // Publishers for gevent-socketio: `{"name": event, "args": [room, …]}`.
  socketio: { channel: `${SOCKETIO_CHANNEL}*`, isPattern: true, read: readSocketIo },
  // django-eventstream with EVENTSTREAM_REDIS.
  eventstream: { channel: "events_channel", isPattern: false, read: readEventStream },
  // What the sharded adapter sends, the hub's own messages among it, is published by SPUBLISH, which no pattern hears.
  emitter: { channel: "socket.io#/#*", isPattern: true, read: readEmitter },
};

function readSocketIo(message: Buffer, channel: string): readonly Incoming[] {
  const room = channel.slice(SOCKETIO_CHANNEL.length);
  const { name, args } = fieldsOf(parse(message));
  if (!Array.isArray(args)) throw malformed("args is no array");
  // The old servers took it off before they passed the rest on.
  const values: readonly unknown[] = args[0] === room ? args.slice(1) : args;
  // In their names a space was as good as a _.
  return [{ room, event: textOf(name, "name").replaceAll(" ", "_"), data: dataOf(values) }];
}

function readEventStream(message: Buffer): readonly Incoming[] {
  const { channel, event_type: event, data } = fieldsOf(parse(message));
  const incoming = { room: textOf(channel, "channel"), event: textOf(event, "event_type") };
  // Data is encoded by itself, unless the publisher has turned that off.
  return [{ ...incoming, data: typeof data === "string" ? decodedOr(data) : data }];
}

function readEmitter(message: Buffer): readonly Incoming[] {
  const [sender, packet, options] = listOf(unpack(message), "it");
  // A server's own broadcast goes to that server's clients, who are none of the hub's.
  if (sender !== EMITTER) return [];
  const { type, data } = fieldsOf(packet);
  const { rooms, except } = fieldsOf(options);
  if (type !== EVENT_PACKET) throw malformed("it is no event");
  if (Array.isArray(except) && except.length > 0) throw malformed("a log leaves nobody out (except)");
  const [event, ...values] = listOf(data, "data");
  const names = listOf(rooms, "rooms");
  if (names.length === 0) throw malformed("it names no room");
  return names.map((room) => ({
    room: textOf(room, "a room"),
    event: textOf(event, "the event"),
    data: dataOf(values),
  }));
}

/** A message has one datum: several arguments are one list. */
function dataOf(values: readonly unknown[]): unknown {
  return values.length > 1 ? values : (values[0] ?? null);
}

function parse(message: Buffer): unknown {
  try {
    return JSON.parse(message.toString());
  } catch {
    throw malformed("it is no JSON");
  }
}

function unpack(message: Buffer): unknown {
  if (!isWholeMsgpack(message)) throw malformed("it is no MessagePack");
  try {
    return decode(message);
  } catch {
    throw malformed("it is nested too deep, or has values that JSON has not");
  }
}

function decodedOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  throw malformed("it is no object");
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed(`${what} is no array`);
}

function textOf(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw malformed(`${what} is no text`);
}

function malformed(reason: string): HubError {
  return new HubError("bad_request", reason);
}
