import { ErrorReply } from "redis";
import type { RoomName } from "../../../shared/room-name.ts";
import type { BrokerHandler } from "../../hub/broker.ts";
import type { PresenceHandler } from "../../hub/presence-store.ts";
import { isWanted, newChannel, newHold, type Channel, type Listener } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { within } from "./deadline.ts";
import { channelOf } from "./keys.ts";
import { Masters, type MastersOptions } from "./masters.ts";
import { isWholeMsgpack } from "./msgpack-shape.ts";
import { PushProbe } from "./push-probe.ts";
import { storeError, unavailable } from "./store-error.ts";
import { isHubWire } from "./wire.ts";

/** Lets a subscription end within the 2 s that a request may take. */
const SUBSCRIBE_GRACE_MS = 300;
const RETRY_MS = 1_000;
/** With it the adapter's messages begin, unless they have binary data and are MessagePack. */
const OPENING_BRACE = 0x7b;

export interface ChannelsOptions extends Pick<MastersOptions, "url" | "map" | "limits" | "onError"> {
  /** A channel that nobody wants any more stays subscribed for so long, in ms. */
  readonly lingerMs: number;
}

/**
 * Owns the connection that receives, in a cluster one to each master: subscribes each channel once for all who hold it, the hub and the Socket.IO
 * adapter, for whom it stands in as the client that subscribes. Per channel one command is under way at a time, and
 * the next follows from what is wanted by then, so holders may come and go at any pace.
 */
export class Channels {
  readonly #options: ChannelsOptions;
  readonly #masters: Masters;
  /** One for each connection that there is. */
  readonly #probes = new Map<Connection, PushProbe>();
  readonly #channels = new Map<string, Channel>();
  #handler: BrokerHandler | undefined;
  #onMembers: PresenceHandler["onMembers"] | undefined;
  #unreadable = 0;
  #closed = false;

  constructor(options: ChannelsOptions) {
    this.#options = options;
    this.#masters = new Masters({
      ...options,
      subscribes: true,
      onUsable: (connection, { connected }) => this.#resume(connection, connected),
      onLost: () => this.#guard(() => this.#handler?.onAway()),
      onMoved: () => this.#settleAll(),
      onChannelMoved: (connection, name) => this.#unsubscribed(connection, name),
    });
  }

  /** How many messages could be read by nobody, since the start. */
  get unreadable(): number {
    return this.#unreadable;
  }

  async start(handler: BrokerHandler): Promise<void> {
    await this.#masters.connect();
    // Only now: there is nothing that the first connection could have interrupted.
    this.#handler = handler;
  }

  /** From now on changes of the members of held rooms are told to this one. */
  tellMembers(onMembers: PresenceHandler["onMembers"] | undefined): void {
    this.#onMembers = onMembers;
  }

  /** The rooms whose channels the hub holds. */
  held(): readonly RoomName[] {
    return [...this.#channels.values()].flatMap(({ hold }) => (hold === undefined ? [] : [hold.room]));
  }

  /**
   * Holds a room's channel for the hub; when it resolves, messages arrive.
   *
   * @throws HubError `unavailable` after less than 2 s; the hold that it began is given up
   */
  async hold(room: RoomName): Promise<void> {
    if (this.#closed) throw unavailable("the connection to Redis has been closed");
    const channel = this.#channel(channelOf(room));
    const hold = (channel.hold ??= newHold(room));
    hold.waiting += 1;
    try {
      const ms = this.#options.limits.redisCommandMs + SUBSCRIBE_GRACE_MS;
      await within(this.#subscribed(channel), ms, () =>
        unavailable("Redis did not confirm a subscription in time"),
      );
      hold.confirmed = true;
    } finally {
      hold.waiting -= 1;
      if (!hold.confirmed && hold.waiting === 0 && channel.hold === hold) this.release(room);
    }
  }

  /** Gives the hub's hold up: from now on the hub hears nothing of the room. */
  release(room: RoomName): void {
    const channel = this.#channels.get(channelOf(room));
    if (channel?.hold === undefined) return;
    channel.hold = undefined;
    this.#linger(channel);
  }

  /** Subscribes the Socket.IO adapter, as a client of the package `redis` would. Never rejects. */
  async sSubscribe(name: string, listener: Listener): Promise<void> {
    if (this.#closed) return;
    const channel = this.#channel(name);
    channel.listeners.add(listener);
    await this.#subscribed(channel);
  }

  /** Takes every listener of the adapter from a channel. Never rejects. */
  async sUnsubscribe(name: string): Promise<void> {
    const channel = this.#channels.get(name);
    if (channel === undefined || channel.listeners.size === 0) return;
    channel.listeners.clear();
    this.#linger(channel);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const probe of this.#probes.values()) probe.stop();
    for (const { linger } of this.#channels.values()) clearTimeout(linger);
    this.#channels.clear();
    await this.#masters.close();
  }

  #channel(name: string): Channel {
    const known = this.#channels.get(name);
    if (known !== undefined) {
      clearTimeout(known.linger);
      known.linger = undefined;
      return known;
    }
    const channel = newChannel(name);
    this.#channels.set(name, channel);
    return channel;
  }

  #subscribed(channel: Channel): Promise<void> {
    if (!channel.settling && this.#isHeard(channel)) return Promise.resolve();
    return new Promise((resolve) => {
      channel.waiters.push(resolve);
      void this.#settle(channel);
    });
  }

  #linger(channel: Channel): void {
    if (isWanted(channel)) return;
    const { lingerMs } = this.#options;
    if (lingerMs === 0 || channel.at === undefined) {
      void this.#settle(channel);
      return;
    }
    const over = (): void => {
      channel.linger = undefined;
      void this.#settle(channel);
    };
    channel.linger = setTimeout(over, lingerMs).unref();
  }

  /** Messages of the channel arrive, as far as can be known. */
  #isHeard({ at, name }: Channel): boolean {
    return at?.usable === true && at === this.#masters.of(name);
  }

  #settleAll(): void {
    for (const channel of this.#channels.values()) void this.#settle(channel);
  }

  /** Brings what Redis knows of a channel in line with what is wanted, as far as Redis can be asked now. */
  async #settle(channel: Channel): Promise<void> {
    if (channel.settling) return;
    channel.settling = true;
    while (!this.#closed && (await this.#step(channel)));
    channel.settling = false;
    if (isWanted(channel) && this.#isHeard(channel)) for (const told of channel.waiters.splice(0)) told();
    if (channel.at === undefined && !isWanted(channel)) this.#channels.delete(channel.name);
  }

  /** Asks Redis one thing; false if nothing is to be asked, or can be. */
  async #step(channel: Channel): Promise<boolean> {
    const { at } = channel;
    const master = isWanted(channel) ? this.#masters.of(channel.name) : undefined;
    if (at === master) return false;
    if (at !== undefined && !this.#masters.has(at)) {
      channel.at = undefined;
      return true;
    }
    const connection = at ?? master;
    if (connection?.usable !== true) return false;
    try {
      if (at === undefined) await this.#subscribe(channel, connection);
      else await connection.watch((client) => client.sUnsubscribe(channel.name));
      if (at !== undefined && channel.at === at) channel.at = undefined;
      return true;
    } catch (error) {
      return this.#failed(channel, connection, error);
    }
  }

  #failed(channel: Channel, connection: Connection, error: unknown): boolean {
    // A connection that was lost comes back and resumes.
    if (!(error instanceof ErrorReply)) return false;
    if (this.#masters.redirect(error, connection)?.kind !== "moved") {
      // A refusal (by an ACL, say) may be lifted some day.
      this.#options.onError?.(storeError(error));
      setTimeout(() => void this.#settle(channel), RETRY_MS).unref();
      return false;
    }
    // The client still takes it for subscribed, and would never subscribe it there again.
    if (channel.at === connection) void connection.replace().catch(() => undefined);
    channel.at = undefined;
    return true;
  }

  async #subscribe(channel: Channel, connection: Connection): Promise<void> {
    // In the very turn of the answer the connection is not noted yet, and the adapter's members may hear already.
    const listener = (message: Buffer, name: Buffer): void => {
      if (channel.at === undefined || channel.at === connection) this.#receive(channel, message, name);
    };
    await connection.watch((client) => client.sSubscribe(channel.name, listener, true));
    channel.at = connection;
    // It had been subscribed elsewhere, or before: what was sent in between came to nobody here.
    const { hold } = channel;
    if (hold?.confirmed === true) this.#guard(() => this.#handler?.onInterruption(hold.room));
  }

  #unsubscribed(connection: Connection, name: string): void {
    const channel = this.#channels.get(name);
    if (channel?.at !== connection) return;
    channel.at = undefined;
    void this.#settle(channel);
  }

  #resume(connection: Connection, reconnected: boolean): void {
    this.#probe(connection);
    this.#settleAll();
    if (reconnected && !this.#masters.isCluster) this.#guard(() => this.#handler?.onInterruption());
  }

  /** Begins to look whether a connection hears what is pushed, unless it is looked at already. */
  #probe(connection: Connection): void {
    if (this.#probes.has(connection) || this.#closed) return;
    let before: PushProbe | undefined;
    for (const [probed, probe] of this.#probes) {
      if (this.#masters.has(probed)) continue;
      if (probed.address === connection.address) before = probe;
      probe.stop();
      this.#probes.delete(probed);
    }
    const probe = new PushProbe({ connection, onError: this.#options.onError ?? (() => {}), before });
    this.#probes.set(connection, probe);
    probe.start();
  }

  #receive(channel: Channel, message: Buffer, name: Buffer): void {
    if (!isHubWire(message)) {
      this.#passOn(channel, message, name);
      return;
    }
    // The adapter must not get it too, or its members would have it twice.
    if (channel.hold === undefined) return;
    // Between two connections: a message could pass for the next one although others got lost before it.
    if (channel.at?.ready !== true) return;
    const { room, read } = channel.hold;
    const received = read(message);
    if (received.kind === "message") this.#guard(() => this.#handler?.onMessage(received.message));
    else if (received.kind === "ephemeral") this.#guard(() => this.#handler?.onEphemeral(received.message));
    else if (received.kind === "members") this.#guard(() => this.#onMembers?.(room, received.change));
    else this.#unreadable += 1;
  }

  #passOn({ listeners }: Channel, message: Buffer, name: Buffer): void {
    if (message[0] !== OPENING_BRACE && !isWholeMsgpack(message)) this.#unreadable += 1;
    else for (const listener of listeners) this.#guard(() => listener(message, name));
  }

  /** What a listener throws would reach the client's parser, between two messages. */
  #guard(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#unreadable += 1;
      this.#options.onError?.(error);
    }
  }
}
