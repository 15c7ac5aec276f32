import type { IncomingMessage } from "node:http";
import { randomId } from "../../../shared/message-id.ts";
import type { Session } from "../../hub/session.ts";
import { bearerOf } from "../bearer.ts";

/** Makes the session of one HTTP request: a publisher without a name, with its Bearer token if it shows one. */
export function sessionOf(request: IncomingMessage): Session {
  const token = bearerOf(request);
  return token === undefined ? { id: randomId() } : { id: randomId(), token };
}
