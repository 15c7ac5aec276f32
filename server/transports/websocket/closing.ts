import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { HubError } from "../../../shared/errors.ts";
import { HTTP_STATUS } from "../http-status.ts";

/** Codes of the IANA registry that say that the client may come back. */
export const SERVICE_RESTART = 1012;
export const TRY_AGAIN = 1013;
/** Codes from here on are a program's own: after it comes the status that HTTP has for the error. */
const OWN_CODES = 4_000;
/** A close frame has 125 bytes, two of which are the code. */
const REASON_BYTES = 123;

/** Closes a connection with an error's code and text. */
export function closeWith(socket: WebSocket, { code, message, retryable }: HubError): void {
  socket.close(retryable ? TRY_AGAIN : OWN_CODES + HTTP_STATUS[code], cut(`${code}: ${message}`));
}

/** Answers an upgrade with an HTTP error instead. */
export function refuseUpgrade(socket: Duplex, error: HubError): void {
  const body = JSON.stringify({ error });
  const { retryAfterMs } = error;
  socket.once("finish", () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${HTTP_STATUS[error.code]} Refused`,
      "Connection: close",
      "Content-Type: application/json",
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...(retryAfterMs === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterMs / 1_000)}`]),
      "",
      body,
    ].join("\r\n"),
  );
}

/** Cuts a text to what a close frame takes, and no character in two. */
function cut(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= REASON_BYTES) return reason;
  let end = REASON_BYTES;
  // UTF-8 goes on with bytes of the form 10xxxxxx.
  while ((bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}
