import { HubError } from "../../shared/errors.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Session } from "./session.ts";
import type { JoinOptions } from "./visit.ts";

/** A right on a room. */
export type Capability = "join" | "publish" | "history" | "presence" | "moderate";

/** Decides who may do what; is asked on every request, so a right can be withdrawn at any time. */
export type Authorize = (
  session: Session,
  capability: Capability,
  room: RoomName,
) => boolean | Promise<boolean>;

/** Lets everyone do everything: who may reach the hub at all is decided where it listens. */
export const allowEveryone: Authorize = () => true;

/**
 * Asks for a right. The refusal tells nothing about the room, so that nobody learns which rooms exist.
 *
 * Returns nothing, and not a promise, where the answer is there at once: requests of one connection keep their order.
 *
 * @throws HubError `forbidden`; what the decision itself throws is `internal`, never a yes
 */
export function demand(
  authorize: Authorize,
  session: Session,
  capability: Capability,
  room: RoomName,
): void | Promise<void> {
  const decide = (allowed: boolean): void => {
    if (allowed !== true) throw new HubError("forbidden", `you may not ${VERBS[capability]} this room`);
  };
  const answer = authorize(session, capability, room);
  return typeof answer === "boolean" ? decide(answer) : Promise.resolve(answer).then(decide);
}

/**
 * Asks for all rights that a join needs; returns nothing where the answers are there at once.
 *
 * @throws HubError `forbidden`
 */
export function demandJoin(
  authorize: Authorize,
  session: Session,
  room: RoomName,
  { since, rewind, presence }: JoinOptions,
): void | Promise<void> {
  const joining = demand(authorize, session, "join", room);
  if (since === undefined && rewind === undefined && presence !== true) return joining;
  return demandMore();

  async function demandMore(): Promise<void> {
    await joining;
    if (since !== undefined || rewind !== undefined) await demand(authorize, session, "history", room);
    if (presence === true) await demand(authorize, session, "presence", room);
  }
}

const VERBS: Readonly<Record<Capability, string>> = {
  join: "join",
  publish: "publish into",
  history: "read the history of",
  presence: "see who is in",
  moderate: "moderate",
};
