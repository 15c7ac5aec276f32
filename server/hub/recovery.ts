import type { Position } from "../../shared/position.ts";
import type { GapReason } from "../../shared/protocol.ts";
import type { CheckResult } from "./broker.ts";

/** Whether a reader can go on where it stood, and after which offset it does. */
export type Verdict =
  | { readonly recovered: true; readonly start: number }
  | { readonly recovered: false; readonly reason: GapReason; readonly start: number };

/**
 * Decides what a reader that comes back gets.
 *
 * It has everything only if the message at its position is still there under the same id, or is the head: an epoch
 * alone proves nothing, since a store that was rolled back keeps it. In all other cases it is told, and starts at the
 * first message that is kept.
 *
 * @param since where the reader stands
 * @param log the log's ends, and the id that it has at `since.offset`
 */
export function recover(since: Position, log: CheckResult): Verdict {
  const start = log.firstOffset - 1;
  if (since.epoch !== log.head.epoch) return { recovered: false, reason: "epoch_changed", start };
  if (since.offset > log.head.offset) return { recovered: false, reason: "rolled_back", start };
  if (since.offset === log.head.offset && since.id === log.head.id)
    return { recovered: true, start: since.offset };
  if (since.offset === 0) {
    return start === 0 ? { recovered: true, start: 0 } : { recovered: false, reason: "trimmed", start };
  }
  if (log.idAt === undefined) return { recovered: false, reason: "trimmed", start };
  if (log.idAt !== since.id) return { recovered: false, reason: "rolled_back", start };
  return { recovered: true, start: since.offset };
}
