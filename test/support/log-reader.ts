import { RedisLog } from "../../server/stores/redis/redis-log.ts";
import type { Message } from "../../shared/message.ts";
import { messageOf } from "../../shared/packet.ts";
import { parseRoomName } from "../../shared/room-name.ts";

/** Reads a room's whole log in Redis, page by page. */
export async function readLog(url: string, name: string): Promise<Message[]> {
  const room = parseRoomName(name);
  const log = new RedisLog({ url, keepsProcess: false });
  await log.connect();
  try {
    const messages: Message[] = [];
    for (;;) {
      const page = await log.read(room, { after: messages.at(-1)?.offset ?? 0, limit: 300 });
      messages.push(...page.messages.map(({ packet }) => messageOf(packet)));
      if (page.messages.length === 0) return messages;
    }
  } finally {
    await log.close();
  }
}
