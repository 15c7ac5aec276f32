import type { Framing } from "../fan-out.ts";

/** What engine.io takes with a packet; `wsPreEncodedFrame` is the ready WebSocket frame, as an array of buffers. */
export interface PacketOptions {
  readonly compress: boolean;
  readonly wsPreEncodedFrame: readonly [Buffer];
}

/** Socket.IO's packet type of an event. */
const EVENT = "2";
/** engine.io's packet type of a message, and that one: what stands before the JSON in a frame. */
const MESSAGE_EVENT = Buffer.from(`4${EVENT}`).readUInt16BE();
const PREFIX_BYTES = 2;

/** A push as it leaves: encoded once, whatever the number of those who get it. */
export class Packet {
  /** The JSON array of event and arguments. */
  readonly json: string;
  #options: PacketOptions | undefined;

  constructor(json: string) {
    this.json = json;
  }

  /** A Socket.IO packet of the namespace `/`, for engine.io's ordinary way. */
  get text(): string {
    return `${EVENT}${this.json}`;
  }

  /** For engine.io's ordinary way. Made when it is asked for: most packets leave joined with others. */
  get options(): PacketOptions {
    this.#options ??= { compress: false, wsPreEncodedFrame: [framesOf([this])] };
    return this.#options;
  }
}

const packets = new WeakMap<object, Packet>();

/** The packet of something that many get, each by itself. */
export function packetFor(source: { readonly packet: string }): Packet {
  let packet = packets.get(source);
  if (packet === undefined) packets.set(source, (packet = new Packet(source.packet)));
  return packet;
}

/** The bytes of whole, unmasked text frames (RFC 6455 §5.2), as a server sends them, one after the other. */
export function framesOf(some: readonly Packet[]): Buffer {
  const lengths = some.map(({ json }) => PREFIX_BYTES + Buffer.byteLength(json));
  const frames = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + headerBytes(length) + length, 0));
  let at = 0;
  some.forEach(({ json }, i) => {
    at = writeHeader(frames, at, lengths[i]!);
    at = frames.writeUInt16BE(MESSAGE_EVENT, at);
    at += frames.write(json, at, "utf8");
  });
  return frames;
}

/** How Socket.IO over WebSocket writes messages. */
export const PACKETS: Framing<Packet, Buffer> = {
  frame: ({ packet }) => new Packet(packet),
  join: framesOf,
};

function headerBytes(length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10;
}

function writeHeader(frames: Buffer, at: number, length: number): number {
  frames[at] = 0x81;
  if (length < 126) {
    frames[at + 1] = length;
    return at + 2;
  }
  if (length < 65_536) {
    frames[at + 1] = 126;
    return frames.writeUInt16BE(length, at + 2);
  }
  frames[at + 1] = 127;
  return frames.writeBigUInt64BE(BigInt(length), at + 2);
}
