import { HubError } from "../../shared/errors.ts";
import type { Position } from "../../shared/position.ts";
import type { RoomName } from "../../shared/room-name.ts";
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
} from "../hub/broker.ts";
import type { LocalNode } from "./local-nodes.ts";

/** A store that this process has to itself. Its methods are those of a broker, for all nodes at once. */
export interface LocalStore {
  attach(node: LocalNode): void;
  detach(node: LocalNode): void;
  append(
    room: RoomName,
    drafts: readonly Draft[],
    retention: Retention,
  ): readonly Appended[] | Promise<readonly Appended[]>;
  broadcast(room: RoomName, draft: EphemeralDraft): void;
  read(room: RoomName, query: HistoryQuery): HistoryPage | Promise<HistoryPage>;
  /** The newest message of a log that is there and not over its time. */
  head(room: RoomName): Position | undefined;
  check(room: RoomName, offset: number): CheckResult | Promise<CheckResult>;
  renewEpoch(room: RoomName, epoch: string): LogEnds | Promise<LogEnds>;
  clear(room: RoomName): void | Promise<void>;
  rooms(query: RoomsQuery): RoomsPage;
  /** Throws what keeps it from taking more. */
  ping(): void;
}

export interface LocalBrokerOptions {
  /** Gets what a handler throws; the other handlers and the sender never notice. */
  readonly onError?: (error: unknown) => void;
  /** Ends the store too, where no other broker shares it. */
  readonly onClose?: () => Promise<void>;
}

/** Gives one node its view of a store in this process. Brokers that share a store are nodes of one hub. */
export class LocalBroker implements Broker {
  readonly #store: LocalStore;
  readonly #onError: (error: unknown) => void;
  readonly #onClose: () => Promise<void>;
  readonly #held = new Set<RoomName>();
  #node: LocalNode | undefined;
  #closed = false;

  constructor(store: LocalStore, options: LocalBrokerOptions = {}) {
    this.#store = store;
    this.#onError = options.onError ?? (() => {});
    this.#onClose = options.onClose ?? (() => Promise.resolve());
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
    return Promise.all(queries.map(async ({ room, offset }) => this.#store.check(room, offset)));
  }

  async renewEpoch(room: RoomName, epoch: string): Promise<LogEnds> {
    this.#assertOpen();
    return this.#store.renewEpoch(room, epoch);
  }

  async clear(room: RoomName): Promise<void> {
    this.#assertOpen();
    await this.#store.clear(room);
  }

  async rooms(query: RoomsQuery): Promise<RoomsPage> {
    this.#assertOpen();
    return this.#store.rooms(query);
  }

  async ping(): Promise<void> {
    this.#assertOpen();
    this.#store.ping();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#held.clear();
    if (this.#node !== undefined) this.#store.detach(this.#node);
    await this.#onClose();
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
