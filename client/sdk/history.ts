import type { Message } from "../../shared/message.ts";
import { formatCursor, splitCursor, type Position } from "../../shared/position.ts";
import type { Gap, HistoryReply } from "../../shared/protocol.ts";
import type { Connection } from "./connection.ts";

export interface HistoryOptions {
  /** Goes forward from here to the newest message, oldest first. */
  readonly after?: number | Position | string;
  /** Goes back from here, newest first; without `after` and `before`, from the newest message. */
  readonly before?: number | Position | string;
  /** The most messages in all; as many as there are if it is missing. */
  readonly limit?: number;
  /** Messages that are fetched at once, 1-300, 100 if it is missing. */
  readonly pageSize?: number;
  readonly signal?: AbortSignal;
  /** Hears that messages are missing, before the next one is given. Going back, it is the end. */
  readonly onGap?: (gap: Gap) => void;
}

const PAGE_SIZE = 100;

/**
 * Reads a room's log, a page at a time and only as far as somebody reads on. Every page begins where the last one ended,
 * so what arrives meanwhile makes neither holes nor doubles.
 *
 * @throws HubError what the hub refuses; passing reasons are waited out
 */
export async function* readHistory(
  connection: Connection,
  room: string,
  { after, before, limit = Infinity, pageSize = PAGE_SIZE, signal, onGap }: HistoryOptions,
): AsyncGenerator<Message, void, undefined> {
  const forward = after !== undefined;
  let range: Readonly<Record<string, unknown>> = { after, before };
  const start = typeof after === "string" ? splitCursor(after) : after;
  let expected = start === undefined ? undefined : (typeof start === "object" ? start.offset : start) + 1;
  for (let left = limit; left > 0;) {
    const input = { room, ...range, limit: Math.min(left, pageSize) };
    const page = await connection.askUntilAnswered<HistoryReply>("history", input, signal);
    const gap = gapBefore(page, room, forward ? expected : undefined);
    if (gap !== undefined) onGap?.(gap);
    // It is the newest page of another log, which nobody asked for.
    if (gap !== undefined && !forward) return;
    const messages = forward ? page.messages : page.messages.toReversed();
    yield* messages;
    const last = messages.at(-1);
    if (last === undefined || page.complete) return;
    left -= messages.length;
    range = { [forward ? "after" : "before"]: formatCursor(last) };
    expected = last.offset + 1;
  }
}

/** What is missing before a page. */
function gapBefore(page: HistoryReply, room: string, expected: number | undefined): Gap | undefined {
  const { epoch } = page.position;
  const to = (page.messages[0]?.offset ?? page.firstOffset) - 1;
  if (page.recovered === false) {
    const from = page.reason === "trimmed" ? (expected ?? 1) : 1;
    return { room, epoch, from, to, reason: page.reason ?? "lost" };
  }
  if (expected === undefined || to < expected || page.messages.length === 0) return undefined;
  return { room, epoch, from: expected, to, reason: "trimmed" };
}
