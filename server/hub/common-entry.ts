import { HubError } from "../../shared/errors.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Broker, LogEnds, StoredMessage } from "./broker.ts";
import type { HotTail } from "./hot-tail.ts";

/**
 * Finds how far a log that took another's place goes the same way: the messages up to the last one that both have, as
 * they are in the new one. Undefined if they have none in common, or if that can't be told.
 *
 * @param heard what this node still has of the log before
 * @throws HubError `unavailable`
 */
export async function commonEntries(
  broker: Broker,
  room: RoomName,
  heard: HotTail,
  ends: LogEnds,
  pageLimit: number,
): Promise<readonly StoredMessage[] | undefined> {
  let before = Math.min(ends.head.offset, heard.newest?.offset ?? 0) + 1;
  while (before > ends.firstOffset) {
    const { head, messages } = await broker.read(room, { before, limit: pageLimit });
    if (head.epoch !== ends.head.epoch)
      throw new HubError("unavailable", "the log changed while it was read");
    const last = messages.findLastIndex((message) => heard.mayHaveHeard(message));
    if (last >= 0) return messages.slice(0, last + 1);
    before = messages[0]?.offset ?? 0;
  }
  return undefined;
}
