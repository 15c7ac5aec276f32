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
  StoredMessage,
} from "../../server/hub/broker.ts";

/** A broker between a node and its store that loses, holds, doubles and refuses on command. */
export class FaultyBroker implements Broker {
  #inner: Broker;
  #handler: BrokerHandler | undefined;
  /** What the node gets for one message; undefined is the message itself. */
  pass: ((message: StoredMessage) => readonly StoredMessage[]) | undefined;
  /** Runs before each read or check; rejects or waits at will. */
  gate:
    ((method: "read" | "heads" | "check" | "subscribe" | "renewEpoch") => Promise<void> | void) | undefined;
  /** How often the log was asked. */
  readonly asked = { read: 0, heads: 0, check: 0, subscribe: 0, unsubscribe: 0, renewEpoch: 0 };

  constructor(inner: Broker) {
    this.#inner = inner;
  }

  start(handler: BrokerHandler): Promise<void> {
    this.#handler = handler;
    const onMessage = (message: StoredMessage): void =>
      (this.pass?.(message) ?? [message]).forEach((one) => handler.onMessage(one));
    return this.#inner.start({ ...handler, onMessage });
  }

  /** As if the store had lost everything, and held this instead. The node keeps its subscriptions to `rooms`. */
  async replaceStore(inner: Broker, ...rooms: RoomName[]): Promise<void> {
    const before = this.#inner;
    this.#inner = inner;
    await this.start(this.#handler!);
    await Promise.all(rooms.map((room) => inner.subscribe(room)));
    await before.close();
  }

  /** As if a message came from the store. */
  inject(message: StoredMessage): void {
    this.#handler?.onMessage(message);
  }

  /** As if the store were out of reach. */
  away(): void {
    this.#handler?.onAway();
  }

  interrupt(): void {
    this.#handler?.onInterruption();
  }

  append(room: RoomName, drafts: readonly Draft[], retention: Retention): Promise<readonly Appended[]> {
    return this.#inner.append(room, drafts, retention);
  }

  broadcast(room: RoomName, draft: EphemeralDraft): Promise<void> {
    return this.#inner.broadcast(room, draft);
  }

  async subscribe(room: RoomName): Promise<void> {
    this.asked.subscribe += 1;
    await this.gate?.("subscribe");
    return this.#inner.subscribe(room);
  }

  unsubscribe(room: RoomName): Promise<void> {
    this.asked.unsubscribe += 1;
    return this.#inner.unsubscribe(room);
  }

  async read(room: RoomName, query: HistoryQuery): Promise<HistoryPage> {
    this.asked.read += 1;
    await this.gate?.("read");
    return this.#inner.read(room, query);
  }

  async heads(rooms: readonly RoomName[]): ReturnType<Broker["heads"]> {
    this.asked.heads += 1;
    await this.gate?.("heads");
    return this.#inner.heads(rooms);
  }

  async check(queries: readonly CheckQuery[]): Promise<readonly CheckResult[]> {
    this.asked.check += 1;
    await this.gate?.("check");
    return this.#inner.check(queries);
  }

  async renewEpoch(room: RoomName, epoch: string): Promise<LogEnds> {
    this.asked.renewEpoch += 1;
    await this.gate?.("renewEpoch");
    return this.#inner.renewEpoch(room, epoch);
  }

  clear(room: RoomName): Promise<void> {
    return this.#inner.clear(room);
  }

  rooms(query: RoomsQuery): Promise<RoomsPage> {
    return this.#inner.rooms(query);
  }

  ping(): Promise<void> {
    return this.#inner.ping();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
