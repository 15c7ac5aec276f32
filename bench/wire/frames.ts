/** One piece of what a server sends, by its place in the bytes that were looked at. */
export interface Frame {
  /** It says that the connection ends, and nothing else. */
  readonly isEnd: boolean;
  readonly start: number;
  readonly payload: number;
  readonly end: number;
}

const TEXT = 1;
const CLOSE = 8;

/** Finds the whole frame of a WebSocket that begins at `start`, as a server sends it (RFC 6455 §5.2); undefined if its end is not there yet. */
export function frameAt(bytes: Buffer, start: number): Frame | undefined {
  if (bytes.length < start + 2) return undefined;
  const isEnd = (bytes[start]! & 0x0f) === CLOSE;
  const short = bytes[start + 1]! & 0x7f;
  const payload = start + (short < 126 ? 2 : short === 126 ? 4 : 10);
  if (bytes.length < payload) return undefined;
  const length =
    short < 126
      ? short
      : short === 126
        ? bytes.readUInt16BE(start + 2)
        : Number(bytes.readBigUInt64BE(start + 2));
  const end = payload + length;
  return bytes.length < end ? undefined : { isEnd, start, payload, end };
}

/** Makes a text frame as a client sends it; its mask is zero, so that masking costs nothing. */
export function clientFrame(text: string): Buffer {
  return withHeader(text, 0x80, 4);
}

/** Makes a text frame as a server sends it. */
export function serverFrame(text: string): Buffer {
  return withHeader(text, 0, 0);
}

function withHeader(text: string, maskBit: number, maskBytes: number): Buffer {
  const length = Buffer.byteLength(text);
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = 2 + lengthBytes + maskBytes;
  const frame = Buffer.alloc(header + length);
  frame[0] = 0x80 | TEXT;
  frame[1] = maskBit | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) frame.writeUInt16BE(length, 2);
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.write(text, header);
  return frame;
}
