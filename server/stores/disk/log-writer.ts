import { createHash } from "node:crypto";
import { HubError } from "../../../shared/errors.ts";
import { contentOf, packetAt } from "../../../shared/packet.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import { EMPTY_IDENTITY_MS, IDENTITY_MS } from "../../../shared/room-options.ts";
import type { Appended, Draft, LogEnds, Retention, StoredMessage } from "../../hub/broker.ts";
import { newEpoch } from "../new-epoch.ts";
import { lookBack } from "../look-back.ts";
import { untold } from "../untold.ts";
import type { Database, Write } from "./database.ts";
import { endsOf, findRoom, firstKept, Messages, presentOf } from "./log-reader.ts";
import { blockEnd, encodeBlock, type MessageRecord } from "./message-blocks.ts";
import { decodeId, encodeId, encodeRoom, idKey, messageKey, roomKey } from "./records.ts";
import type { IdRecord, RoomRecord } from "./records.ts";

/** So much that is no longer kept waits, since looking for it costs as much as some messages; the sweep takes the rest. */
const DELETES_FROM = 64;
/** A commit deletes so many more records of messages than it adds messages. */
const DELETES_BESIDE = 64;

/** Works out what happens to one room within one commit. Nothing of it is true before its writes are committed. */
export class LogWriter {
  readonly #database: Database;
  readonly #room: RoomName;
  readonly #idempotencyMs: number;
  readonly #now: number;
  readonly #before: RoomRecord | undefined;
  readonly #messages: Messages;
  /** The room's own, and changed in place: a copy for each message would cost more than the message. */
  readonly #record: { -readonly [Field in keyof RoomRecord]: RoomRecord[Field] };
  /** What is not in the database yet: offsets from the top that it has to the top that this commit makes. */
  readonly #added: StoredMessage[] = [];
  readonly #unwritten: MessageRecord[] = [];
  readonly #ids = new Map<string, IdRecord>();
  readonly #idWrites: Write[] = [];
  /** When something was last stored, before the append that is being worked out. */
  #appendedAt: number;

  constructor(database: Database, room: RoomName, idempotencyMs: number, now: number) {
    this.#database = database;
    this.#room = room;
    this.#idempotencyMs = idempotencyMs;
    this.#now = now;
    this.#before = findRoom(database, room, now);
    this.#appendedAt = this.#before?.time ?? 0;
    this.#record = this.#before === undefined ? newRecord(database, now) : { ...this.#before };
    this.#messages = new Messages(database, this.#record.log);
  }

  /** The messages that this commit adds, in the order of their offsets. */
  get added(): readonly StoredMessage[] {
    return this.#added;
  }

  append(drafts: readonly Draft[], retention: Retention): Appended[] {
    // By the age that held until now: what a reader has been told is gone must not come back with a longer one.
    this.#trim();
    const record = this.#record;
    const time = presentOf(record, this.#now);
    if (record.first > record.top) record.oldestTime = time;
    record.time = time;
    record.ageMs = retention.ageMs;
    record.forgetAt = time + retention.ageMs + IDENTITY_MS;
    this.#rotateIds(time);
    const results = drafts.map((draft) => this.#place(draft));
    this.#appendedAt = time;
    this.#keepFrom(record.top - retention.messages + 1);
    this.#trim();
    return results;
  }

  clear(): void {
    this.#keepFrom(this.#record.top + 1);
  }

  /** Gives the log another epoch if it has this one. */
  renewEpoch(epoch: string): LogEnds {
    if (this.#record.epoch === epoch) this.#record.epoch = newEpoch();
    return endsOf(this.#record);
  }

  /** Everything that the room's commit consists of. */
  writes(): Write[] {
    const { log, top } = this.#record;
    const writes: Write[] = [...this.#idWrites];
    this.#writeMessages(writes);
    this.#deleteMessages(writes);
    if (this.#before === undefined) writes.push(...this.#database.beginLog(this.#room, log));
    else if (this.#before.top === 0 && top > 0)
      writes.push({ table: "rooms", key: roomKey(this.#room, false) });
    const key = roomKey(this.#room, top > 0);
    writes.push({ table: "rooms", key, value: encodeRoom(key, this.#record) });
    return writes;
  }

  /** What this commit adds and does not keep is never written. */
  #writeMessages(writes: Write[]): void {
    const { log, first } = this.#record;
    const persisted = this.#persistedTop;
    for (let start = Math.max(0, first - persisted - 1); start < this.#unwritten.length;) {
      const end = blockEnd(this.#unwritten, start);
      const key = messageKey(log, persisted + end);
      const value = encodeBlock(key, this.#record.time, this.#unwritten.slice(start, end));
      writes.push({ table: "messages", key, value });
      start = end;
    }
  }

  #deleteMessages(writes: Write[]): void {
    const record = this.#record;
    // Nothing is there.
    if (record.swept > this.#persistedTop) record.swept = record.first;
    if (record.first - record.swept < DELETES_FROM) return;
    const most = this.#added.length + DELETES_BESIDE;
    record.swept = this.#database.deleteMessages(record, record.first, most, writes);
  }

  get #persistedTop(): number {
    return this.#before?.top ?? 0;
  }

  #place(draft: Draft): Appended {
    const { id, keyed, head } = draft;
    const digest = keyed ? createHash("sha1").update(contentOf(head)).digest() : undefined;
    const known = keyed ? this.#knownId(id) : undefined;
    const { epoch, top, time } = this.#record;
    if (digest !== undefined && known !== undefined) {
      if (!known.digest.equals(digest)) return { ok: false, error: reused(id) };
      const position = { epoch, offset: known.offset, id };
      return { ok: true, position, time: known.time, duplicate: true };
    }
    const sentBefore = this.#sentBefore(draft, digest);
    if (sentBefore !== undefined) return sentBefore;
    const offset = top + 1;
    const packet = packetAt(head, { id, epoch, offset, time });
    this.#added.push({ room: this.#room, epoch, offset, id, time, packet });
    this.#unwritten.push({ time, id, head });
    this.#record.top = offset;
    this.#record.topId = id;
    if (digest !== undefined) this.#rememberId(id, { offset, time, digest });
    return { ok: true, position: { epoch, offset, id }, time, duplicate: false };
  }

  /** What becomes of a message that may be stored already under an id that nothing remembers. */
  #sentBefore({ id, head, sentAgoMs }: Draft, digest: Buffer | undefined): Appended | undefined {
    if (sentAgoMs === undefined) return undefined;
    const { first, top, time, epoch } = this.#record;
    const at = (offset: number): MessageRecord => this.#messageAt(offset);
    const found = lookBack({ first, top, time, appendedAt: this.#appendedAt, at }, id, sentAgoMs);
    if (found === undefined) return undefined;
    if (found === "unknown") return { ok: false, error: untold(id) };
    const { offset, message } = found;
    if (contentOf(message.head) !== contentOf(head)) return { ok: false, error: reused(id) };
    if (digest !== undefined) this.#rememberId(id, { offset, time: message.time, digest });
    return { ok: true, position: { epoch, offset, id }, time: message.time, duplicate: true };
  }

  #messageAt(offset: number): MessageRecord {
    const i = offset - this.#persistedTop - 1;
    return i < 0 ? this.#messages.at(offset) : this.#unwritten[i]!;
  }

  #knownId(id: string): IdRecord | undefined {
    const { log, generation } = this.#record;
    for (const one of [generation, generation - 1]) {
      const key = idKey(log, one, id);
      const known = this.#ids.get(key.toString("latin1"));
      if (known !== undefined) return known;
      const value = this.#database.get("ids", key);
      if (value !== undefined) return decodeId(key, value);
    }
    return undefined;
  }

  #rememberId(id: string, record: IdRecord): void {
    const key = idKey(this.#record.log, this.#record.generation, id);
    this.#ids.set(key.toString("latin1"), record);
    this.#idWrites.push({ table: "ids", key, value: encodeId(key, record) });
  }

  /** Every append does this first, so nothing in a generation is older than one window after its start. */
  #rotateIds(time: number): void {
    const elapsed = time - this.#record.rotatedAt;
    if (elapsed < this.#idempotencyMs) return;
    this.#record.generation += elapsed < 2 * this.#idempotencyMs ? 1 : 2;
    this.#record.rotatedAt = time;
  }

  /** Lets go of what is over age. */
  #trim(): void {
    const record = this.#record;
    const top = this.#persistedTop;
    // What this commit adds can't be over age, and is not to be found in the database either.
    if (record.first > top || record.oldestTime >= presentOf(record, this.#now) - record.ageMs) return;
    this.#keepFrom(firstKept(this.#messages, { ...record, top }, this.#now));
    record.oldestTime = record.first <= top ? this.#messages.at(record.first).time : record.time;
  }

  #keepFrom(first: number): void {
    if (first > this.#record.first) this.#record.first = first;
  }
}

function newRecord(database: Database, now: number): RoomRecord {
  return {
    log: database.newLog(),
    epoch: newEpoch(),
    top: 0,
    topId: "",
    first: 1,
    swept: 1,
    time: 0,
    ageMs: 0,
    generation: 1,
    rotatedAt: now,
    forgetAt: now + EMPTY_IDENTITY_MS,
    oldestTime: 0,
  };
}

function reused(id: string): HubError {
  return new HubError("id_reused", `the id ${id} belongs to another message`);
}
