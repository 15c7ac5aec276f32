import { HubError, toHubError } from "../../../shared/errors.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { Hub, Publication } from "../../hub/hub.ts";
import type { Session } from "../../hub/session.ts";
import type { PublishInput } from "../publications.ts";
import type { Outcome } from "./replies.ts";

/** Runs a check and gives its refusal as a value, so that one bad item spoils no other. */
export function attempt<Value>(check: () => Value): Value | HubError {
  try {
    return check();
  } catch (error) {
    if (error instanceof HubError) return error;
    throw error;
  }
}

/**
 * Publishes the items that passed their check in one call; each item's outcome stands in its own place.
 *
 * @throws what the call as a whole was refused with
 */
export async function publishItems(
  hub: Hub,
  session: Session,
  room: RoomName,
  items: readonly (Publication | HubError)[],
): Promise<readonly Outcome[]> {
  const valid = items.filter((item): item is Publication => !(item instanceof HubError));
  if (valid.length === 0) return items as readonly HubError[];
  const replies = await hub.publish(session, room, valid);
  if (valid.length === items.length) return replies;
  let next = 0;
  return items.map((item) => (item instanceof HubError ? item : replies[next++]!));
}

/**
 * Publishes items into many rooms, in parallel, but each room's in their order. What a room as a whole is refused
 * with is the outcome of each of its items.
 */
export async function publishToRooms(
  hub: Hub,
  session: Session,
  items: readonly (PublishInput | HubError)[],
): Promise<readonly Outcome[]> {
  const outcomes = [...items] as (PublishInput | Outcome)[];
  const rooms = new Map<RoomName, number[]>();
  items.forEach((item, index) => {
    if (item instanceof HubError) return;
    const indexes = rooms.get(item.room);
    if (indexes === undefined) rooms.set(item.room, [index]);
    else indexes.push(index);
  });
  const publishRoom = async ([room, indexes]: [RoomName, number[]]): Promise<void> => {
    try {
      const publications = indexes.map((index) => items[index] as PublishInput);
      const replies = await hub.publish(session, room, publications);
      indexes.forEach((index, i) => (outcomes[index] = replies[i]!));
    } catch (failure) {
      const refusal = toHubError(failure);
      indexes.forEach((index) => (outcomes[index] = refusal));
    }
  };
  await Promise.all([...rooms].map(publishRoom));
  return outcomes as Outcome[];
}
