import { frameAt, type Frame } from "./frames.ts";
import { EVENT, has, readDigits } from "./message.ts";

/** Where a message says its offset, and where its data begins; undefined is what is not as it must be. */
export interface Parts {
  readonly offset: number | undefined;
  readonly data: number | undefined;
}

/** How one room's messages stand in the bytes of a connection. */
export interface Format {
  /** Finds the whole frame that begins at `start`; undefined if its end is not there yet. */
  frameAt(bytes: Buffer, start: number): Frame | undefined;
  /** Tells whether a frame is a message; what is in it is another question. */
  isMessage(bytes: Buffer, frame: Frame): boolean;
  /** Looks at all of a message but its data, of which it knows the size. */
  partsOf(bytes: Buffer, frame: Frame, dataBytes: number): Parts;
}

const PACKET = Buffer.from(`42["${EVENT}",`);
const OFFSET = Buffer.from('"offset":');

/** Socket.IO packets in the frames of a WebSocket: `42["message",<data>,{"room":…,"offset":…}]`. */
export function packetFormat(room: string): Format {
  const meta = Buffer.from(`,{"room":${JSON.stringify(room)},`);
  return {
    frameAt,
    isMessage: (bytes, { payload }) => has(bytes, payload, PACKET),
    partsOf: (bytes, { payload, end }, dataBytes) => {
      const data = payload + PACKET.length;
      return {
        // A message's offset stands in its meta, behind the data.
        offset: digitsAfter(OFFSET, bytes, bytes.subarray(0, end).lastIndexOf(OFFSET), payload),
        data: has(bytes, data + dataBytes, meta) ? data : undefined,
      };
    },
  };
}

const BLOCK_END = Buffer.from("\n\n");
const BLOCK = Buffer.from(`event: ${EVENT}\nid: `);
const DOT = Buffer.from(".");
const DATA = Buffer.from("\ndata: ");

/** Server-sent events of one room: `event: message`, `id: <epoch>.<offset>.<id>` and `data: <data>`, a line each. */
export const EVENT_FORMAT: Format = {
  frameAt(bytes, start) {
    const end = bytes.indexOf(BLOCK_END, start);
    return end === -1 ? undefined : { isEnd: false, start, payload: start, end: end + BLOCK_END.length };
  },
  isMessage: (bytes, { payload }) => has(bytes, payload, BLOCK),
  partsOf(bytes, { payload, end }, dataBytes) {
    const data = end - BLOCK_END.length - dataBytes;
    return {
      offset: digitsAfter(DOT, bytes, bytes.indexOf(DOT, payload + BLOCK.length), payload),
      data: has(bytes, data - DATA.length, DATA) ? data : undefined,
    };
  },
};

function digitsAfter(mark: Buffer, bytes: Buffer, found: number, least: number): number | undefined {
  if (found < least) return undefined;
  const first = found + mark.length;
  let last = first;
  while (bytes[last]! >= 48 && bytes[last]! <= 57) last += 1;
  return last === first ? undefined : readDigits(bytes, first, last);
}
