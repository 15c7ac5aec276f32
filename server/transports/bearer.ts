import type { IncomingMessage } from "node:http";

/** The token that a request shows as `Authorization: Bearer` (RFC 6750, section 2.1); undefined if it shows none. */
export function bearerOf({ headers }: IncomingMessage): string | undefined {
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
}
