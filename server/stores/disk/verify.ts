import type { Database } from "./database.ts";
import { Messages } from "./log-reader.ts";
import { decodeBlock } from "./message-blocks.ts";
import {
  DamagedRecord,
  decodeId,
  decodeRoom,
  logOfKey,
  messageKey,
  roomOfKey,
  type RoomRecord,
} from "./records.ts";

/** Up to this size every record is looked at before the start; it takes a second at most. */
const WHOLE_BYTES = 128 * 2 ** 20;
const START = Buffer.alloc(1);

/**
 * Looks whether the records are what was written, and each log has all messages that its room says are kept: in a
 * small database all of them, in a large one the rooms and the ends of their logs. All others are checked when they
 * are read.
 *
 * @throws DataFolderError `damaged`
 */
export function verify(database: Database): void {
  try {
    const whole = database.size().bytes <= WHOLE_BYTES;
    const logs = new Map<number, RoomRecord>();
    for (const { key, value } of database.entries("rooms", { start: START })) {
      const record = decodeRoom(key, value);
      checkEnds(database, record, roomOfKey(key));
      if (whole) logs.set(record.log, record);
    }
    if (!whole) return;
    checkMessages(database, logs);
    for (const { key, value } of database.entries("ids", { start: START })) decodeId(key, value);
  } catch (error) {
    throw database.damaged((error as Error).message, error);
  }
}

function checkEnds(database: Database, { log, first, top, topId }: RoomRecord, room: string): void {
  if (first > top) return;
  const messages = new Messages(database, log);
  messages.at(first);
  if (messages.at(top).id !== topId) throw new DamagedRecord(`the newest message of ${room} is another one`);
  for (const key of database.keys("messages", { start: messageKey(log, top + 1), limit: 1 })) {
    if (logOfKey(key) === log) throw new DamagedRecord(`${room} has a message after its newest one`);
  }
}

function checkMessages(database: Database, logs: ReadonlyMap<number, RoomRecord>): void {
  let before = { log: 0, last: 0 };
  for (const { key, value } of database.entries("messages", { start: START })) {
    const block = decodeBlock(key, value);
    const log = logOfKey(key);
    const kept = logs.get(log)?.first;
    const isHole = before.log === log && block.first !== before.last + 1;
    // What is no longer kept may have been deleted already; the first and the last one have been looked at.
    if (isHole && kept !== undefined && block.first > kept)
      throw new DamagedRecord(`message ${before.last + 1} of log ${log} is missing`);
    before = { log, last: block.last };
  }
}
