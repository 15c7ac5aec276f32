import { HubError, toHubError } from "../../shared/errors.ts";
import type { Limits } from "../../shared/limits.ts";
import { parseRoomAlias } from "../../shared/room-name.ts";
import { createPublisher, type Publisher } from "../publisher/index.ts";
import { ClusterMap } from "../stores/redis/cluster-map.ts";
import { Commands } from "../stores/redis/commands.ts";
import type { Connection } from "../stores/redis/connection.ts";
import { within } from "../stores/redis/deadline.ts";
import { BRIDGE_KEY } from "../stores/redis/keys.ts";
import { Masters } from "../stores/redis/masters.ts";
import { PushProbe } from "../stores/redis/push-probe.ts";
import { storeError } from "../stores/redis/store-error.ts";
import { DIALECTS, type Dialect, type DialectName, type Incoming } from "./dialects.ts";
import { Lease } from "./lease.ts";

/** How often the lease is renewed, and refusals are told, in ms. */
const TICK_MS = 1_000;
/** More messages than these do not wait for the log: what is published may be no faster than it for long. */
const MOST_WAITING = 10_000;
/** Of a channel's name in a warning. */
const SHOWN_CHARACTERS = 200;

export interface BridgeOptions {
  /** As the hub's own. */
  readonly url: string;
  readonly limits: Limits;
  readonly dialects: readonly DialectName[];
  /** Gets what goes wrong with Redis. */
  readonly onError: (error: unknown) => void;
  /** Gets, once a second at most, how many messages were refused and why the last one was. */
  readonly onWarning: (text: string) => void;
}

/**
 * Takes what publishers of other systems publish into Redis and appends it to the rooms' logs. Every node with a bridge
 * hears all of it; the one with the lease takes it, so each message is appended once.
 */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #commands: Commands;
  readonly #masters: Masters;
  readonly #lease: Lease;
  readonly #publisher: Publisher;
  /** Where it listens: in a cluster every member hears what is published to any, so one is enough. */
  #ear: Connection | undefined;
  #probe: PushProbe | undefined;
  /** Only the listeners of one call of `#listen` count: one that failed halfway is repeated as a whole. */
  #listening: symbol | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waiting = 0;
  #refused = 0;
  #refusedBefore = 0;
  #lastRefusal = "";

  constructor(options: BridgeOptions) {
    const { url, limits, onError } = options;
    this.#options = options;
    const common = { url, limits, map: new ClusterMap(), onError };
    this.#commands = new Commands({
      ...common,
      onLost: () => this.#lease.drop(),
      onUsable: () => void this.#tick(),
    });
    this.#masters = new Masters({ ...common, subscribes: true });
    this.#lease = new Lease(this.#commands, limits);
    this.#publisher = createPublisher({ redisUrl: url, limits, onNotice: () => {} });
  }

  /** Listens from now on, and is closed by the caller, also if it fails. @throws HubError `unavailable` if Redis can't be reached */
  async start(): Promise<void> {
    await Promise.all([this.#commands.masters.connect(), this.#masters.connect()]);
    await this.#listen();
    await this.#lease.renew();
    this.#timer = setInterval(() => void this.#tick(), TICK_MS).unref();
  }

  /** Takes nothing more, appends what it has taken, and lets another node go on. Never rejects. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    // Redis answers and pushes over one stream: behind the answer nothing comes that was published before.
    await this.#ear?.run(["PING"]).catch(() => {});
    this.#lease.drop();
    await this.#publisher.close();
    this.#tellRefusals();
    // It ends by itself soon, if Redis can't be told.
    await this.#lease.giveBack().catch(() => {});
    await Promise.all([this.#masters.close(), this.#commands.close()]);
    // Only now: a subscription that was under way might have begun another one.
    this.#probe?.stop();
  }

  async #tick(): Promise<void> {
    if (this.#timer === undefined) return;
    this.#tellRefusals();
    try {
      await this.#listen();
      await this.#lease.renew();
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** Subscribes, unless it has: after a lost connection the client does it by itself, but in a cluster it is a new one. */
  async #listen(): Promise<void> {
    const ear = this.#masters.of(BRIDGE_KEY);
    if (ear === undefined || ear === this.#ear) return;
    const call = Symbol("listeners");
    for (const name of this.#options.dialects) {
      const dialect = DIALECTS[name];
      const take = (message: Buffer, channel: Buffer): void => {
        if (call === this.#listening && this.#lease.isHeld) this.#take(dialect, message, channel.toString());
      };
      const subscribed = ear.watch((client) =>
        dialect.isPattern
          ? client.pSubscribe(dialect.channel, take, true)
          : client.subscribe(dialect.channel, take, true),
      );
      const late = (): HubError =>
        new HubError("unavailable", "Redis did not confirm a subscription in time");
      await within(subscribed, this.#options.limits.redisCommandMs, late).catch((error: unknown) => {
        throw storeError(error);
      });
    }
    const before = this.#ear?.address === ear.address ? this.#probe : undefined;
    this.#probe?.stop();
    this.#ear = ear;
    this.#listening = call;
    this.#probe = new PushProbe({ connection: ear, onError: this.#options.onError, before });
    this.#probe.start();
  }

  #take(dialect: Dialect, message: Buffer, channel: string): void {
    try {
      for (const incoming of dialect.read(message, channel)) void this.#append(incoming, channel);
    } catch (error) {
      this.#refuse(channel, error);
    }
  }

  async #append({ room, event, data }: Incoming, channel: string): Promise<void> {
    this.#waiting += 1;
    try {
      if (this.#waiting > MOST_WAITING)
        throw new HubError("unavailable", "too many messages wait for the log");
      const name = parseRoomAlias(room, this.#options.limits.roomNameBytes);
      await this.#publisher.emit(name, event, data);
    } catch (error) {
      this.#refuse(channel, error);
    } finally {
      this.#waiting -= 1;
    }
  }

  #refuse(channel: string, error: unknown): void {
    this.#refused += 1;
    const { code, message } = toHubError(error);
    this.#lastRefusal = `${channel.slice(0, SHOWN_CHARACTERS)}: ${code}: ${message}`;
  }

  #tellRefusals(): void {
    const more = this.#refused - this.#refusedBefore;
    if (more === 0) return;
    this.#refusedBefore = this.#refused;
    this.#options.onWarning(
      `the bridge could not append ${more} messages (${this.#refused} so far), the last on ${this.#lastRefusal}`,
    );
  }
}
