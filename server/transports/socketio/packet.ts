import type { Framing } from "../fan-out.ts";

/** What engine.io takes with a packet; `wsPreEncodedFrame` is the ready WebSocket frame, as an array of buffers. */
export interface PacketOptions {
  readonly compress: boolean;
  readonly wsPreEncodedFrame: readonly [Buffer];
}

/** A push as it leaves: encoded once, whatever the number of those who get it. */
export class Packet {
  /** A Socket.IO packet of the namespace `/`: `2` is an event. */
  readonly text: string;
  #options: PacketOptions | undefined;

  constructor(packet: string) {
    this.text = `2${packet}`;
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
  const lengths = some.map(({ text }) => 1 + Buffer.byteLength(text));
  const frames = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + headerBytes(length) + length, 0));
  let at = 0;
  some.forEach(({ text }, i) => {
    at = writeHeader(frames, at, lengths[i]!);
    // engine.io's message
    frames[at] = 0x34;
    at += 1;
    at += frames.write(text, at, "utf8");
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
