import { ErrorReply } from "redis";
import type { RoomName } from "../../../shared/room-name.ts";
import type { BrokerHandler } from "../../hub/broker.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { within } from "./deadline.ts";
import { channelOf } from "./keys.ts";
import { isWholeMsgpack } from "./msgpack-shape.ts";
import { PushProbe } from "./push-probe.ts";
import { storeError, unavailable } from "./store-error.ts";
import { isHubWire, wireReader } from "./wire.ts";

/** Lets a subscription end within the 2 s that a request may take. */
const SUBSCRIBE_GRACE_MS = 300;
const RETRY_MS = 1_000;
/** With it the adapter's messages begin, unless they have binary data and are MessagePack. */
const OPENING_BRACE = 0x7b;

type Listener = (message: Buffer, channel: Buffer) => void;

interface Hold {
  readonly read: ReturnType<typeof wireReader>;
  /** Subscribe calls that have not been answered. */
  waiting: number;
  /** One of them has been told that messages arrive. */
  confirmed: boolean;
}

interface Channel {
  readonly name: string;
  hold: Hold | undefined;
  readonly listeners: Set<Listener>;
  linger: NodeJS.Timeout | undefined;
  /** What Redis last confirmed. The client subscribes to such channels again by itself after a reconnect. */
  subscribed: boolean;
  settling: boolean;
  waiters: (() => void)[];
}

export interface ChannelsOptions extends Pick<ConnectionOptions, "url" | "limits" | "onError"> {
  /** A channel that nobody wants any more stays subscribed for so long, in ms. */
  readonly lingerMs: number;
}

/**
 * Owns the connection that receives: subscribes each channel once for all who hold it, the hub and the Socket.IO
 * adapter, for whom it stands in as the client that subscribes. Per channel one command is under way at a time, and
 * the next follows from what is wanted by then, so holders may come and go at any pace.
 */
export class Channels {
  readonly #options: ChannelsOptions;
  readonly #connection: Connection;
  readonly #probe: PushProbe;
  readonly #channels = new Map<string, Channel>();
  #handler: BrokerHandler | undefined;
  #unreadable = 0;
  #closed = false;

  constructor(options: ChannelsOptions) {
    this.#options = options;
    const { url, limits, onError = () => {} } = options;
    const onUsable = ({ connected }: { connected: boolean }): void => this.#resume(connected);
    const onLost = (): void => this.#guard(() => this.#handler?.onAway());
    this.#connection = new Connection({ url, limits, onError, onUsable, onLost, subscribes: true });
    this.#probe = new PushProbe({ connection: this.#connection, onError });
  }

  /** How many messages could be read by nobody, since the start. */
  get unreadable(): number {
    return this.#unreadable;
  }

  async start(handler: BrokerHandler): Promise<void> {
    await this.#connection.connect();
    // Only now: there is nothing that the first connection could have interrupted.
    this.#handler = handler;
    this.#probe.start();
  }

  /**
   * Holds a room's channel for the hub; when it resolves, messages arrive.
   *
   * @throws HubError `unavailable` after less than 2 s; the hold that it began is given up
   */
  async hold(room: RoomName): Promise<void> {
    if (this.#closed) throw unavailable("the connection to Redis has been closed");
    const channel = this.#channel(channelOf(room));
    const hold = (channel.hold ??= { read: wireReader(room), waiting: 0, confirmed: false });
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
    this.#probe.stop();
    for (const { linger } of this.#channels.values()) clearTimeout(linger);
    this.#channels.clear();
    await this.#connection.close();
  }

  #channel(name: string): Channel {
    const known = this.#channels.get(name);
    if (known !== undefined) {
      clearTimeout(known.linger);
      known.linger = undefined;
      return known;
    }
    const channel: Channel = {
      name,
      hold: undefined,
      listeners: new Set(),
      linger: undefined,
      subscribed: false,
      settling: false,
      waiters: [],
    };
    this.#channels.set(name, channel);
    return channel;
  }

  #subscribed(channel: Channel): Promise<void> {
    if (channel.subscribed && !channel.settling && this.#connection.usable) return Promise.resolve();
    return new Promise((resolve) => {
      channel.waiters.push(resolve);
      void this.#settle(channel);
    });
  }

  #linger(channel: Channel): void {
    if (isWanted(channel)) return;
    const { lingerMs } = this.#options;
    if (lingerMs === 0 || !channel.subscribed) {
      void this.#settle(channel);
      return;
    }
    const over = (): void => {
      channel.linger = undefined;
      void this.#settle(channel);
    };
    channel.linger = setTimeout(over, lingerMs).unref();
  }

  /** Brings what Redis knows of a channel in line with what is wanted, as far as Redis can be asked now. */
  async #settle(channel: Channel): Promise<void> {
    if (channel.settling) return;
    channel.settling = true;
    while (isWanted(channel) !== channel.subscribed && this.#connection.usable && !this.#closed) {
      const subscribe = !channel.subscribed;
      try {
        await (subscribe
          ? this.#ask(channel)
          : this.#connection.watch((client) => client.sUnsubscribe(channel.name)));
        channel.subscribed = subscribe;
      } catch (error) {
        // A connection that was lost comes back and resumes; a refusal (by an ACL, say) may be lifted some day.
        if (error instanceof ErrorReply) this.#retry(channel, error);
        break;
      }
    }
    channel.settling = false;
    if (channel.subscribed && isWanted(channel) && this.#connection.usable) {
      for (const told of channel.waiters.splice(0)) told();
    }
    if (!channel.subscribed && !isWanted(channel)) this.#channels.delete(channel.name);
  }

  #ask(channel: Channel): Promise<void> {
    const listener = (message: Buffer, name: Buffer): void => this.#receive(channel, message, name);
    return this.#connection.watch((client) => client.sSubscribe(channel.name, listener, true));
  }

  #retry(channel: Channel, error: ErrorReply): void {
    this.#options.onError?.(storeError(error));
    setTimeout(() => void this.#settle(channel), RETRY_MS).unref();
  }

  #resume(reconnected: boolean): void {
    for (const channel of this.#channels.values()) void this.#settle(channel);
    if (reconnected) this.#guard(() => this.#handler?.onInterruption());
  }

  #receive(channel: Channel, message: Buffer, name: Buffer): void {
    if (!isHubWire(message)) {
      this.#passOn(channel, message, name);
      return;
    }
    // The adapter must not get it too, or its members would have it twice.
    if (channel.hold === undefined) return;
    // Between two connections: a message could pass for the next one although others got lost before it.
    if (!this.#connection.ready) return;
    const received = channel.hold.read(message);
    if (received.kind === "message") this.#guard(() => this.#handler?.onMessage(received.message));
    else if (received.kind === "ephemeral") this.#guard(() => this.#handler?.onEphemeral(received.message));
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

function isWanted({ hold, listeners, linger }: Channel): boolean {
  return hold !== undefined || listeners.size > 0 || linger !== undefined;
}
