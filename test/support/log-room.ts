import type { Message } from "../../shared/message.ts";
import type { HistoryReply } from "../../shared/protocol.ts";
import { until } from "./wait.ts";

/** The data of an entry, as a log source makes it. */
export interface LogEntry {
  readonly message: string;
  readonly level: string;
  readonly program: string;
  readonly timestamp: string;
  readonly source?: string;
}

/** Reads a room's whole history from a hub. */
export async function historyOf(url: string, room: string): Promise<Message[]> {
  const messages: Message[] = [];
  for (;;) {
    const path = `/rooms/${encodeURIComponent(room)}/messages`;
    const response = await fetch(`${url}${path}?after=${messages.at(-1)?.offset ?? 0}&limit=300`);
    const page = (await response.json()) as HistoryReply;
    messages.push(...page.messages);
    if (page.complete) return messages;
  }
}

/** The log entries of a room, those of one source or all. */
export async function entriesOf(url: string, room: string, source?: string): Promise<LogEntry[]> {
  const messages = (await historyOf(url, room)).filter(({ event }) => event === "log");
  const entries = messages.map(({ data }) => data as LogEntry);
  return source === undefined ? entries : entries.filter((entry) => entry.source === source);
}

/** Waits until a room has so many messages. */
export async function untilHas(url: string, room: string, count: number, ms = 30_000): Promise<void> {
  await until(async () => {
    const response = await fetch(`${url}/rooms/${encodeURIComponent(room)}`);
    const { position } = (await response.json()) as { position: { offset: number } };
    return position.offset >= count;
  }, ms);
}
