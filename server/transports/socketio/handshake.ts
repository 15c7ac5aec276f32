import type { Socket } from "socket.io";
import type { Limits } from "../../../shared/limits.ts";
import type { Session } from "../../hub/session.ts";
import { guestSession, type Introduction } from "../guests.ts";

/**
 * Reads who connects from a handshake: `auth: { token?, username?, guest? }`, or `?username=` in the URL.
 *
 * @throws HubError `bad_request`
 */
export function sessionOf({ id, handshake }: Socket, limits: Limits): Session {
  const auth = handshake.auth as Introduction;
  return guestSession(id, { ...auth, username: auth.username ?? handshake.query["username"] }, limits);
}
