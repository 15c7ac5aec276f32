import { HubError } from "../../../shared/errors.ts";
import type { Position } from "../../../shared/position.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type {
  Appended,
  Broker,
  BrokerHandler,
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
} from "../../hub/broker.ts";
import type { MemoryNode, MemoryStore } from "./memory-store.ts";

export interface MemoryBrokerOptions {
  /** Gets what a handler throws; the other handlers and the sender never notice. */
  readonly onError?: (error: unknown) => void;
}

/** Gives one node its view of a store in this process. Brokers that share a store are nodes of one hub. */
export class MemoryBroker implements Broker {
  readonly #store: MemoryStore;
  readonly #onError: (error: unknown) => void;
  readonly #held = new Set<RoomName>();
  #node: MemoryNode | undefined;
  #closed = false;

  constructor(store: MemoryStore, options: MemoryBrokerOptions = {}) {
    this.#store = store;
    this.#onError = options.onError ?? (() => {});
  }

  async start(handler: BrokerHandler): Promise<void> {
    this.#assertOpen();
    if (this.#node !== undefined) throw new HubError("internal", "the broker has been started already");
    this.#node = {
      receive: (message) => this.#guard(message.room, () => handler.onMessage(message)),
      receiveEphemeral: (message) => this.#guard(message.room, () => handler.onEphemeral(message)),
    };
    this.#store.attach(this.#node);
  }

  async append(room: RoomName, drafts: readonly Draft[], retention: Retention): Promise<readonly Appended[]> {
    this.#assertOpen();
    if (drafts.length === 0) return [];
    return this.#store.append(room, drafts, retention);
  }

  async broadcast(room: RoomName, draft: EphemeralDraft): Promise<void> {
    this.#assertOpen();
    this.#store.broadcast(room, draft);
  }

  async subscribe(room: RoomName): Promise<void> {
    this.#assertOpen();
    this.#held.add(room);
  }

  async unsubscribe(room: RoomName): Promise<void> {
    this.#held.delete(room);
  }

  async read(room: RoomName, query: HistoryQuery): Promise<HistoryPage> {
    this.#assertOpen();
    return this.#store.read(room, query);
  }

  async heads(rooms: readonly RoomName[]): Promise<readonly (Position | undefined)[]> {
    this.#assertOpen();
    return rooms.map((room) => this.#store.head(room));
  }

  async check(queries: readonly CheckQuery[]): Promise<readonly CheckResult[]> {
    this.#assertOpen();
    return queries.map(({ room, offset }) => this.#store.check(room, offset));
  }

  async renewEpoch(room: RoomName, epoch: string): Promise<LogEnds> {
    this.#assertOpen();
    return this.#store.renewEpoch(room, epoch);
  }

  async clear(room: RoomName): Promise<void> {
    this.#assertOpen();
    this.#store.clear(room);
  }

  async rooms(query: RoomsQuery): Promise<RoomsPage> {
    this.#assertOpen();
    return this.#store.rooms(query);
  }

  async ping(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#held.clear();
    if (this.#node !== undefined) this.#store.detach(this.#node);
  }

  #guard(room: RoomName, tell: () => void): void {
    if (!this.#held.has(room)) return;
    try {
      tell();
    } catch (error) {
      this.#onError(error);
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new HubError("unavailable", "the store has been closed");
  }
}
