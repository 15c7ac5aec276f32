import { ServerResponse } from "node:http";

const NOTHING = Buffer.alloc(0);

/**
 * Writes a piece of a body that has begun, straight to the connection where nothing is done to it on the way: node:http
 * would hold it back until the next tick, which costs more than the write itself.
 */
export function writePiece(response: ServerResponse, piece: Buffer): void {
  const { socket } = response;
  // Whoever has put a write of its own in front, to compress what comes, has to see everything.
  const isPlain = response.write === ServerResponse.prototype.write && !response.chunkedEncoding;
  // Without a connection of its own yet, it is behind another response.
  if (!isPlain || socket?.writable !== true) {
    response.write(piece);
    return;
  }
  // The response tells of a drain only if it knows that something waits; once is enough.
  if (!socket.write(piece) && !response.writableNeedDrain) response.write(NOTHING);
}
