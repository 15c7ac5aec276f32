import { createHash } from "node:crypto";
import { HubError } from "../../../shared/errors.ts";
import { contentOf, packetTail } from "../../../shared/packet.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import { EMPTY_IDENTITY_MS, IDENTITY_MS } from "../../../shared/room-options.ts";
import type { Appended, Draft, LogEnds, Retention, StoredMessage } from "../../hub/broker.ts";
import { newEpoch } from "../new-epoch.ts";
import { lookBack } from "../look-back.ts";
import { untold } from "../untold.ts";
import type { Database, Write } from "./database.ts";
import { endsOf, findRoom, firstKept, messageAt, presentOf } from "./log-reader.ts";
import {
  decodeId,
  encodeId,
  encodeMessage,
  encodeRoom,
  idKey,
  messageKey,
  roomKey,
  type IdRecord,
  type MessageRecord,
  type RoomRecord,
} from "./records.ts";

/** An append deletes so many more of what is no longer kept than it adds; the sweep does the rest. */
const DELETES_BESIDE = 16;

/** Works out what happens to one room within one commit. Nothing of it is true before its writes are committed. */
export class LogWriter {
  readonly #database: Database;
  readonly #room: RoomName;
  readonly #idempotencyMs: number;
  readonly #now: number;
  readonly #before: RoomRecord | undefined;
  #record: RoomRecord;
  /** What is not in the database yet: offsets from the top that it has to the top that this commit makes. */
  readonly #added: StoredMessage[] = [];
  readonly #heads: string[] = [];
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
    this.#record = this.#before ?? {
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
    };
  }

  /** The messages that this commit adds, in the order of their offsets. */
  get added(): readonly StoredMessage[] {
    return this.#added;
  }

  append(drafts: readonly Draft[], retention: Retention): Appended[] {
    // By the age that held until now: what a reader has been told is gone must not come back with a longer one.
    this.#trim();
    const time = presentOf(this.#record, this.#now);
    const forgetAt = time + retention.ageMs + IDENTITY_MS;
    this.#record = { ...this.#record, time, ageMs: retention.ageMs, forgetAt };
    this.#rotateIds(time);
    const results = drafts.map((draft) => this.#place(draft));
    this.#appendedAt = time;
    this.#keepFrom(this.#record.top - retention.messages + 1);
    this.#trim();
    return results;
  }

  clear(): void {
    this.#keepFrom(this.#record.top + 1);
  }

  /** Gives the log another epoch if it has this one. */
  renewEpoch(epoch: string): LogEnds {
    if (this.#record.epoch === epoch) this.#record = { ...this.#record, epoch: newEpoch() };
    return endsOf(this.#record);
  }

  /** Everything that the room's commit consists of. */
  writes(): Write[] {
    const persisted = this.#persistedTop;
    const { log, first, top } = this.#record;
    const writes: Write[] = [...this.#idWrites];
    this.#added.forEach(({ offset, time, id }, i) => {
      if (offset < first) return;
      const key = messageKey(log, offset);
      const value = encodeMessage(key, time, id, this.#heads[i]!);
      writes.push({ table: "messages", key, value });
    });
    let { swept } = this.#record;
    // Nothing is there: what this commit adds and does not keep is never written.
    if (swept > persisted) swept = first;
    const until = Math.min(first, swept + 2 * this.#added.length + DELETES_BESIDE);
    for (; swept < until; swept += 1) {
      if (swept <= persisted) writes.push({ table: "messages", key: messageKey(log, swept) });
    }
    if (this.#before === undefined) writes.push(...this.#database.beginLog(this.#room, log));
    else if (this.#before.top === 0 && top > 0)
      writes.push({ table: "rooms", key: roomKey(this.#room, false) });
    const key = roomKey(this.#room, top > 0);
    writes.push({ table: "rooms", key, value: encodeRoom(key, { ...this.#record, swept }) });
    return writes;
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
    const position = { epoch, offset: top + 1, id };
    const place = { ...position, time };
    this.#added.push({ room: this.#room, ...place, packet: head + packetTail(place) });
    this.#heads.push(head);
    this.#record = { ...this.#record, top: top + 1, topId: id };
    if (digest !== undefined) this.#rememberId(id, { offset: place.offset, time, digest });
    return { ok: true, position, time, duplicate: false };
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
    if (contentOf(message.head.toString()) !== contentOf(head)) return { ok: false, error: reused(id) };
    if (digest !== undefined) this.#rememberId(id, { offset, time: message.time, digest });
    return { ok: true, position: { epoch, offset, id }, time: message.time, duplicate: true };
  }

  #messageAt(offset: number): MessageRecord {
    const i = offset - this.#persistedTop - 1;
    if (i < 0) return messageAt(this.#database, this.#record.log, offset);
    const { time, id } = this.#added[i]!;
    return { time, id, head: Buffer.from(this.#heads[i]!) };
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
    const generation = this.#record.generation + (elapsed < 2 * this.#idempotencyMs ? 1 : 2);
    this.#record = { ...this.#record, generation, rotatedAt: time };
  }

  /** Lets go of what is over age. */
  #trim(): void {
    const top = this.#persistedTop;
    // What this commit adds can't be over age, and is not to be found in the database either.
    if (this.#record.first <= top)
      this.#keepFrom(firstKept(this.#database, { ...this.#record, top }, this.#now));
  }

  #keepFrom(first: number): void {
    if (first > this.#record.first) this.#record = { ...this.#record, first };
  }
}

function reused(id: string): HubError {
  return new HubError("id_reused", `the id ${id} belongs to another message`);
}
