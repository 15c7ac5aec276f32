import { HubError } from "../../../shared/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../../../shared/limits.ts";
import { packetTail } from "../../../shared/packet.ts";
import type { Position } from "../../../shared/position.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import { EMPTY_IDENTITY_MS, IDENTITY_MS, type RoomOptionsTable } from "../../../shared/room-options.ts";
import type {
  Appended,
  CheckQuery,
  CheckResult,
  Draft,
  EphemeralDraft,
  HistoryPage,
  HistoryQuery,
  LogEnds,
  Retention,
  RoomsPage,
  RoomsQuery,
  StoredMessage,
} from "../../hub/broker.ts";
import { newEpoch } from "../new-epoch.ts";
import { untold } from "../untold.ts";
import { Commands } from "./commands.ts";
import type { Connection } from "./connection.ts";
import { channelOf, logKey, logKeys, metaKey, OPTIONS_COPIES, OPTIONS_KEY } from "./keys.ts";
import type { MastersOptions } from "./masters.ts";
import { RoomIndex } from "./room-index.ts";
import { loadScripts, runScript, type ScriptName } from "./scripts.ts";
import { WIRE_END, wireStart } from "./wire.ts";

export type RedisLimits = Pick<Limits, "redisConnectMs" | "redisCommandMs" | "idempotencyMs">;

export interface RedisLogOptions extends Pick<MastersOptions, "url" | "map" | "keepsProcess" | "onError"> {
  readonly limits?: RedisLimits;
  /** Is called after each (re)connect, in a cluster to any master. */
  readonly onConnected?: () => void;
}

/** Of each message its outcome, offset and time; of the first one only, if all are new. */
type AppendReply = readonly [epoch: string, outcome: number, offset: number, time: number, ...number[]];
type Entry = readonly [id: string, fields: readonly string[]];
type ReadReply = readonly [
  epoch: string,
  top: number,
  topId: string,
  first: number,
  idAt: string | null,
  page: readonly Entry[],
];

type Page = readonly [mode: "after" | "before" | "younger", value: number, limit: number];
const ENDS_ALONE: Page = ["after", 0, 0];

/** By so much the clocks of sender and Redis may go at different rates while a message is being retried. */
const SENT_MARGIN_MS = 1_000;

/** Checks that are under way at once; more wait for these. */
const CHECKS_AT_ONCE = 1_000;

/**
 * Keeps the logs in Redis: everything of a broker but receiving, so all that a publisher needs. Appends of one room
 * keep their order only if the caller awaits each before the next (see `AppendLanes`).
 */
export class RedisLog {
  readonly commands: Commands;
  readonly #limits: RedisLimits;
  readonly #index: RoomIndex;

  constructor({ limits = DEFAULT_LIMITS, onConnected, onError = () => {}, ...rest }: RedisLogOptions) {
    this.#limits = limits;
    const onUsable = (connection: Connection, { connected }: { connected: boolean }): void => {
      if (!connected) return;
      this.#index.forget();
      void loadScripts(connection);
      onConnected?.();
    };
    this.commands = new Commands({ ...rest, limits, onError, onUsable });
    this.#index = new RoomIndex(this.commands);
  }

  /** @throws HubError `unavailable` with the reason; tries only once */
  async connect(): Promise<void> {
    await this.commands.masters.connect();
  }

  async append(room: RoomName, drafts: readonly Draft[], retention: Retention): Promise<readonly Appended[]> {
    if (drafts.length === 0) return [];
    const since = await this.#sentSince(room, drafts);
    const epoch = newEpoch();
    const args = [
      epoch,
      channelOf(room),
      String(retention.messages),
      String(retention.ageMs),
      String(IDENTITY_MS),
      String(this.#limits.idempotencyMs),
      wireStart(room),
      WIRE_END,
      String(since),
      drafts.map(kindOf).join(""),
    ];
    for (const { id, head } of drafts) args.push(id, head);
    const reply = (await this.#script("append", room, args)) as AppendReply;
    this.#index.add(room, reply[0] === epoch);
    return drafts.map(({ id }, i) => appended(id, reply, i));
  }

  /** The time by Redis's clock since which any of these may have been stored, as long as it takes until they are. */
  async #sentSince(room: RoomName, drafts: readonly Draft[]): Promise<number> {
    const agoMs = Math.max(...drafts.map(({ sentAgoMs }) => sentAgoMs ?? -1));
    if (agoMs < 0) return 0;
    const asked = performance.now();
    const [seconds, micros] = (await this.commands.runAt(metaKey(room), ["TIME"])) as [string, string];
    const now = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
    return Math.floor(now - (performance.now() - asked) - agoMs - SENT_MARGIN_MS);
  }

  async broadcast(room: RoomName, { id, head, except }: EphemeralDraft): Promise<void> {
    const args = [channelOf(room), wireStart(room, except), WIRE_END, id, head];
    await runScript(this.commands, "broadcast", [metaKey(room)], args, this.#limits.redisCommandMs);
  }

  async read(room: RoomName, query: HistoryQuery): Promise<HistoryPage> {
    const limit = query.limit;
    if ("after" in query) return pageOf(room, await this.#read(room, 0, ["after", query.after, limit]));
    if ("before" in query) return pageOf(room, await this.#read(room, 0, ["before", query.before, limit]));
    return pageOf(room, await this.#read(room, 0, ["younger", query.youngerThanMs, limit]));
  }

  async heads(rooms: readonly RoomName[]): Promise<readonly (Position | HubError | undefined)[]> {
    const heads: (Position | HubError | undefined)[] = [];
    for (let i = 0; i < rooms.length; i += CHECKS_AT_ONCE) {
      const some = rooms.slice(i, i + CHECKS_AT_ONCE);
      const commands = some.map((room) => ["HMGET", metaKey(room), "epoch", "top", "topid"]);
      heads.push(...(await this.commands.runAll(commands)).map(headOf));
    }
    return heads;
  }

  async check(queries: readonly CheckQuery[]): Promise<readonly CheckResult[]> {
    const results: CheckResult[] = [];
    for (let i = 0; i < queries.length; i += CHECKS_AT_ONCE) {
      const some = queries
        .slice(i, i + CHECKS_AT_ONCE)
        .map(async ({ room, offset }): Promise<CheckResult> => {
          const reply = await this.#read(room, offset, ENDS_ALONE);
          return { ...endsOf(reply), idAt: reply[4] ?? undefined };
        });
      results.push(...(await Promise.all(some)));
    }
    return results;
  }

  async renewEpoch(room: RoomName, epoch: string): Promise<LogEnds> {
    return endsOf(await this.#read(room, 0, ENDS_ALONE, epoch));
  }

  async clear(room: RoomName): Promise<void> {
    await this.commands.run(["DEL", logKey(room)]);
  }

  async rooms(query: RoomsQuery): Promise<RoomsPage> {
    return this.#index.list(query);
  }

  async ping(): Promise<void> {
    await this.commands.ping();
  }

  /** Tells publishers which options the rooms of this hub have; rejects only if none of them will find out. */
  async writeRoomOptions(table: RoomOptionsTable): Promise<void> {
    const text = JSON.stringify(table);
    await Promise.any(this.#optionsKeys().map((key) => this.commands.run(["SET", key, text]))).catch(firstOf);
  }

  /**
   * Reads the options that the nodes wrote; undefined if no node has.
   *
   * @throws HubError `unavailable` if none were found and not all could be looked for
   */
  async readRoomOptions(): Promise<RoomOptionsTable | undefined> {
    const reads = this.#optionsKeys().map((key) => this.#readOptions(key));
    const found = reads.map(async (read) => (await read) ?? Promise.reject(new Error("none")));
    return Promise.any(found).catch(async () => (await Promise.all(reads))[0]);
  }

  async close(): Promise<void> {
    await this.commands.close();
  }

  #optionsKeys(): readonly string[] {
    return this.commands.masters.isCluster ? [OPTIONS_KEY, ...OPTIONS_COPIES] : [OPTIONS_KEY];
  }

  async #readOptions(key: string): Promise<RoomOptionsTable | undefined> {
    const text = await this.commands.run(["GET", key]);
    if (typeof text !== "string") return undefined;
    try {
      return JSON.parse(text) as RoomOptionsTable;
    } catch (cause) {
      throw new HubError("internal", `${key} in Redis is no JSON`, { cause });
    }
  }

  async #read(room: RoomName, offset: number, page: Page, replaced = ""): Promise<ReadReply> {
    const args = [newEpoch(), String(EMPTY_IDENTITY_MS), String(offset), ...page.map(String), replaced];
    return (await this.#script("read", room, args)) as ReadReply;
  }

  #script(name: ScriptName, room: RoomName, args: readonly string[]): Promise<unknown> {
    return runScript(this.commands, name, logKeys(room), args, this.#limits.redisCommandMs);
  }
}

/** Of an AggregateError, which says nothing itself. */
function firstOf(error: unknown): never {
  throw error instanceof AggregateError ? error.errors[0] : error;
}

function appended(id: string, reply: AppendReply, i: number): Appended {
  const [epoch, outcome, first, time] = reply;
  if (outcome === 1 && reply.length === 4)
    return { ok: true, position: { epoch, offset: first + i, id }, time, duplicate: false };
  return placed(id, epoch, reply.slice(3 * i + 1, 3 * i + 4) as [number, number, number]);
}

function placed(
  id: string,
  epoch: string,
  [outcome, offset, time]: readonly [number, number, number],
): Appended {
  if (outcome === 3)
    return { ok: false, error: new HubError("id_reused", `the id ${id} belongs to another message`) };
  if (outcome === 4) return { ok: false, error: untold(id) };
  return { ok: true, position: { epoch, offset, id }, time, duplicate: outcome === 2 };
}

function kindOf({ keyed, sentAgoMs }: Draft): number {
  return (keyed ? 1 : 0) + (sentAgoMs === undefined ? 0 : 2);
}

function headOf(reply: unknown): Position | HubError | undefined {
  if (reply instanceof HubError) return reply;
  const [epoch, top, topId] = reply as (string | null)[];
  return epoch ? { epoch, offset: Number(top), id: topId ?? "" } : undefined;
}

function endsOf([epoch, offset, id, firstOffset]: ReadReply): LogEnds {
  return { head: { epoch, offset, id }, firstOffset };
}

function pageOf(room: RoomName, reply: ReadReply): HistoryPage {
  const [epoch, , , , , entries] = reply;
  return { ...endsOf(reply), messages: entries.map((entry) => messageOf(room, epoch, entry)) };
}

function messageOf(room: RoomName, epoch: string, [key, fields]: Entry): StoredMessage {
  const [, id, , time, , head] = fields as [string, string, string, string, string, string];
  const place = { id, epoch, offset: Number.parseInt(key, 10), time: Number(time) };
  return { room, ...place, packet: head + packetTail(place) };
}
