import type { HubError } from "../../../shared/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../../../shared/limits.ts";
import type { Position } from "../../../shared/position.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { RoomOptionsTable } from "../../../shared/room-options.ts";
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
import type { PresenceStore } from "../../hub/presence-store.ts";
import { createSocketAdapter, type SocketAdapter } from "./adapter.ts";
import { AppendLanes } from "./append-lanes.ts";
import { Channels } from "./channels.ts";
import { ClusterMap } from "./cluster-map.ts";
import type { LeaseTimes } from "./node-leases.ts";
import { RedisLog } from "./redis-log.ts";
import { RedisPresence } from "./redis-presence.ts";
import { checkServers } from "./server-checks.ts";

const LINGER_MS = 2_000;

export interface RedisBrokerOptions {
  /**
   * `redis://[user:password@]host:port[/database]`, or `rediss://` for TLS; of a cluster one member or more, separated
   * by commas. Redis 7 or newer.
   */
  readonly url: string;
  readonly limits?: Limits;
  /** Is written to Redis for publishers, at the start and after each reconnect. */
  readonly roomOptions?: RoomOptionsTable;
  /** A room that nobody here is in any more stays subscribed for so long, in ms. */
  readonly lingerMs?: number;
  /** Gets what goes wrong outside of any request, such as a lost connection. */
  readonly onError?: (error: unknown) => void;
  /** Gets, once at the start, each way in which Redis is set up to lose something. */
  readonly onWarning?: (text: string) => void;
}

/** Makes a hub's nodes one through Redis. Two connections, in a cluster to each master: one asks, one receives. */
export class RedisBroker implements Broker {
  readonly #log: RedisLog;
  readonly #channels: Channels;
  readonly #lanes: AppendLanes;
  readonly #roomOptions: RoomOptionsTable | undefined;
  readonly #onError: (error: unknown) => void;
  readonly #onWarning: (text: string) => void;
  readonly #limits: Limits;
  #presence: RedisPresence | undefined;

  constructor({
    url,
    limits = DEFAULT_LIMITS,
    roomOptions,
    lingerMs = LINGER_MS,
    onError,
    onWarning,
  }: RedisBrokerOptions) {
    this.#onWarning = onWarning ?? (() => {});
    this.#limits = limits;
    this.#roomOptions = roomOptions;
    this.#onError = onError ?? (() => {});
    const common = { url, limits, map: new ClusterMap(), onError: this.#onError };
    this.#log = new RedisLog({ ...common, onConnected: () => this.#connected() });
    this.#channels = new Channels({ ...common, lingerMs });
    this.#lanes = new AppendLanes(
      (room, drafts, retention) => this.#log.append(room, drafts, retention),
      limits,
    );
  }

  /** Messages on this node's channels that neither the hub nor the adapter could read, since the start. */
  get unreadable(): number {
    return this.#channels.unreadable;
  }

  /** What Socket.IO's server takes as its `adapter`, so that stock emits travel over the same connections. */
  socketAdapter(): SocketAdapter {
    return createSocketAdapter({
      commands: this.#log.commands,
      channels: this.#channels,
      onError: this.#onError,
    });
  }

  /** Who is in which room, over the same connections; to be started when the broker has been. */
  presence(times: Partial<LeaseTimes> = {}): PresenceStore {
    this.#presence ??= new RedisPresence({
      commands: this.#log.commands,
      channels: this.#channels,
      limits: this.#limits,
      times,
      onError: this.#onError,
    });
    return this.#presence;
  }

  /** @throws HubError `unavailable`, naming the reason, if Redis is away, too old or refuses the password */
  async start(handler: BrokerHandler): Promise<void> {
    try {
      await this.#log.connect();
      await this.#channels.start(handler);
      const warnings = await checkServers(this.#log.commands.masters.all(), this.#limits.redisCommandMs);
      warnings.forEach(this.#onWarning);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  append(room: RoomName, drafts: readonly Draft[], retention: Retention): Promise<readonly Appended[]> {
    return this.#lanes.append(room, drafts, retention);
  }

  broadcast(room: RoomName, draft: EphemeralDraft): Promise<void> {
    return this.#log.broadcast(room, draft);
  }

  subscribe(room: RoomName): Promise<void> {
    return this.#channels.hold(room);
  }

  async unsubscribe(room: RoomName): Promise<void> {
    this.#channels.release(room);
  }

  read(room: RoomName, query: HistoryQuery): Promise<HistoryPage> {
    return this.#log.read(room, query);
  }

  heads(rooms: readonly RoomName[]): Promise<readonly (Position | HubError | undefined)[]> {
    return this.#log.heads(rooms);
  }

  check(queries: readonly CheckQuery[]): Promise<readonly CheckResult[]> {
    return this.#log.check(queries);
  }

  renewEpoch(room: RoomName, epoch: string): Promise<LogEnds> {
    return this.#log.renewEpoch(room, epoch);
  }

  clear(room: RoomName): Promise<void> {
    return this.#log.clear(room);
  }

  rooms(query: RoomsQuery): Promise<RoomsPage> {
    return this.#log.rooms(query);
  }

  ping(): Promise<void> {
    return this.#log.ping();
  }

  async close(): Promise<void> {
    await this.#presence?.close();
    await Promise.all([this.#channels.close(), this.#log.close()]);
  }

  #connected(): void {
    // Nothing tells whether this Redis still has all that the one before had.
    this.#presence?.forget();
    if (this.#roomOptions === undefined) return;
    this.#log.writeRoomOptions(this.#roomOptions).catch(this.#onError);
  }
}
