import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { encodeData } from "../../shared/message.ts";
import { packetHead } from "../../shared/packet.ts";
import type { From } from "../../shared/message.ts";
import { parseRoomName, type RoomName } from "../../shared/room-name.ts";
import type {
  Appended,
  Broker,
  BrokerHandler,
  Draft,
  EphemeralMessage,
  Retention,
  StoredMessage,
} from "../../server/hub/broker.ts";

/** Two brokers that share one store, not yet started. */
export interface BrokerNodes {
  readonly a: Broker;
  readonly b: Broker;
  /** Lets time pass for the store. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

export type MakeNodes = (options?: { readonly idempotencyMs?: number }) => Promise<BrokerNodes>;

/** Remembers what its node is told. */
export class Ear implements BrokerHandler {
  readonly messages: StoredMessage[] = [];
  readonly ephemerals: EphemeralMessage[] = [];
  interruptions = 0;
  /** The rooms of interruptions that were of one room. */
  readonly interrupted: RoomName[] = [];

  onMessage(message: StoredMessage): void {
    this.messages.push(message);
  }

  onEphemeral(message: EphemeralMessage): void {
    this.ephemerals.push(message);
  }

  onAway(): void {}

  onInterruption(room?: RoomName): void {
    if (room === undefined) this.interruptions += 1;
    else this.interrupted.push(room);
  }

  forget(): void {
    this.messages.length = 0;
    this.ephemerals.length = 0;
  }

  of(room: RoomName): StoredMessage[] {
    return this.messages.filter((message) => message.room === room);
  }
}

/** Keeps enough for every test that is not about keeping. */
export const KEEP: Retention = { messages: 10_000, ageMs: 3_600_000 };

let rooms = 0;

/** A room that no other test uses. */
export function freshRoom(kind = "chat"): RoomName {
  rooms += 1;
  return parseRoomName(`${kind}:room-${process.pid}-${rooms}`);
}

let ids = 0;

export interface DraftOptions {
  readonly id?: string;
  readonly keyed?: boolean;
  readonly from?: From;
}

export function draft(room: RoomName, data: unknown, options: DraftOptions = {}): Draft {
  ids += 1;
  const head = packetHead(room, "log", encodeData(data, DEFAULT_LIMITS), options.from);
  return { id: options.id ?? `id-${ids}`, keyed: options.keyed ?? false, head };
}

/** Appends one message per value, each by a call of its own. */
export async function appendAll(
  broker: Broker,
  room: RoomName,
  values: readonly unknown[],
): Promise<Placed[]> {
  const results = await Promise.all(values.map((value) => broker.append(room, [draft(room, value)], KEEP)));
  return results.flat().map(placed);
}

export type Placed = Extract<Appended, { ok: true }>;

/** Takes it that an append was accepted. */
export function placed(appended: Appended | undefined): Placed {
  if (appended?.ok === true) return appended;
  throw new Error("not appended", { cause: appended?.error });
}

/** Numbers from first to last. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

export const offsetsOf = (messages: readonly { readonly offset: number }[]): number[] =>
  messages.map(({ offset }) => offset);
