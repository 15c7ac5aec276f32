import type { Message } from "../shared/message.ts";
import type { Position } from "../shared/position.ts";
import type { HistoryReply } from "../shared/protocol.ts";
import { hashOf } from "./hash.ts";
import type { ReadBack } from "./oracle/observations.ts";

const PAGE = 300;
const ANSWER_MS = 5_000;

/** Where a room stands, for one node. */
export async function readHead(url: string, room: string): Promise<Position> {
  const { position } = (await get(`${url}/rooms/${encodeURIComponent(room)}`)) as { position: Position };
  return position;
}

/** Reads a whole room from one node, page by page. */
export async function readLog(node: string, url: string, room: string): Promise<ReadBack> {
  const messages: Message[] = [];
  let first: number | undefined;
  for (let after = 0; ;) {
    const page = (await get(
      `${url}/rooms/${encodeURIComponent(room)}/messages?after=${after}&limit=${PAGE}`,
    )) as HistoryReply;
    first ??= page.firstOffset;
    messages.push(...page.messages);
    const last = page.messages.at(-1);
    if (!page.complete && last !== undefined) {
      after = last.offset!;
      continue;
    }
    return {
      node,
      room,
      position: page.position,
      firstOffset: first,
      messages: messages.map(({ epoch, offset, id, event, data }) => ({
        epoch,
        offset,
        id,
        hash: hashOf(event, data),
      })),
    };
  }
}

async function get(url: string): Promise<unknown> {
  const reply = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
  if (!reply.ok) throw new Error(`${url}: HTTP ${reply.status}`);
  return reply.json();
}
