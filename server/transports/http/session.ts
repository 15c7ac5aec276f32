import type { IncomingMessage } from "node:http";
import { randomId } from "../../../shared/message-id.ts";
import type { Session } from "../../hub/session.ts";

/** Makes the session of one HTTP request: a publisher without a name, with its Bearer token if it shows one. */
export function sessionOf({ headers }: IncomingMessage): Session {
  const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  return token === undefined ? { id: randomId() } : { id: randomId(), token };
}
