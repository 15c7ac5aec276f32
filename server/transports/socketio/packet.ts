import type { Push } from "../../hub/transport.ts";

/** What engine.io takes with a packet; `wsPreEncodedFrame` is the ready WebSocket frame, as an array of buffers. */
export interface PacketOptions {
  readonly compress: boolean;
  readonly wsPreEncodedFrame: readonly [Buffer];
}

/** A push as it leaves: encoded once, whatever the number of those who get it. */
export interface Packet {
  /** A Socket.IO packet of the namespace `/`. */
  readonly text: string;
  /** The same as a WebSocket frame. */
  readonly frame: Buffer;
  readonly options: PacketOptions;
}

/** Frames a room's packet: `4` is engine.io's message, `2` Socket.IO's event. */
export function packetOf(packet: string): Packet {
  const text = `2${packet}`;
  const frame = frameOf(`4${text}`);
  return { text, frame, options: { compress: false, wsPreEncodedFrame: [frame] } };
}

const framedPushes = new WeakMap<object, Packet>();

/** Frames a push once that many get, each by itself. */
export function framed(push: Push & { readonly kind: "members" }): Packet {
  let packet = framedPushes.get(push);
  if (packet === undefined) framedPushes.set(push, (packet = packetOf(push.packet)));
  return packet;
}

/** Makes a whole, unmasked text frame (RFC 6455 §5.2), as a server sends it. */
function frameOf(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = 0x81;
  if (header === 2) frame[1] = length;
  else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, header, "utf8");
  return frame;
}
