import { createClient, ErrorReply } from "redis";
import type { Limits } from "../../../shared/limits.ts";
import type { Argument, Client } from "./client.ts";
import { within } from "./deadline.ts";
import { WaitSlots, type WaitSlot } from "./wait-slots.ts";
import { connectError, isReply, storeError, unavailable } from "./store-error.ts";

const PING_MS = 1_000;
/**
 * A connection is replaced after so much silence; with the pings, half-open ones are gone in 5 s. A process that is
 * busy for more than 3 s takes its own silence for that of Redis.
 */
const SILENCE_MS = 4_000;
const QUEUE_LENGTH = 20_000;
const CLOSE_MS = 500;
const OLDEST_REDIS = 7;

/** Asks Redis something; what has not been written when the slot aborts never is. */
type Ask<T> = (client: Client, slot: WaitSlot) => Promise<T>;

export interface ConnectionOptions {
  /** `redis://`, `rediss://` or `unix://`. */
  readonly url: string;
  readonly limits: Pick<Limits, "redisConnectMs" | "redisCommandMs">;
  /** The connection carries subscriptions: what it is told while Redis is away waits until it is back. */
  readonly subscribes?: boolean;
  /** False: the process may end while nothing is being asked. Then a lost connection is made anew when it is needed. */
  readonly keepsProcess?: boolean;
  /** Is called each time that commands can be sent (again): after connecting, and after Redis hung. */
  readonly onUsable?: (news: { connected: boolean }) => void;
  /** Is called when the connection is lost, and may be called again until there is another one. */
  readonly onLost?: () => void;
  /** Is called when the connection is lost and is not made anew by itself. */
  readonly onEnd?: () => void;
  /** Is called when a master of a cluster unsubscribes a channel, because it no longer has the channel's slot. */
  readonly onChannelMoved?: (channel: string) => void;
  /** Gets what goes wrong outside of any command. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Holds one connection to Redis, and makes it anew for ever once it has been made, unless it is to a master of a
 * cluster: what such a one serves may be elsewhere by then. A command is answered within `redisCommandMs`, or rejected
 * with a HubError; while Redis hangs, further ones are rejected at once.
 */
export class Connection {
  /** The host of its URL, and with the port. */
  readonly host: string;
  readonly address: string;
  readonly #options: ConnectionOptions;
  readonly #slots: WaitSlots;
  #client: Client | undefined;
  #opening: Promise<void> | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #pending = 0;
  #generation = 0;
  #hanging = false;
  #pinging = false;
  #isCluster = false;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#slots = new WaitSlots(options.limits.redisCommandMs, () => (this.#hanging = true));
    const { hostname = "", host = "" } = URL.canParse(options.url) ? new URL(options.url) : {};
    this.host = hostname;
    this.address = host;
  }

  /** Redis said, when it was connected to, that it is a member of a cluster. */
  get isCluster(): boolean {
    return this.#isCluster;
  }

  /** Redis is connected and answers. */
  get usable(): boolean {
    return this.#client?.isReady === true && !this.#hanging;
  }

  /** What Redis was connected to say again after a lost connection has been said: nothing is missing from now on. */
  get ready(): boolean {
    return this.#client?.isReady === true;
  }

  /** Counts the connections that there have been. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Makes the first connection.
   *
   * @throws HubError `unavailable` when Redis is away, too old, or refuses the password; tries only once
   */
  async connect(): Promise<void> {
    // A client that is open is not ready yet while it is being opened.
    if (this.#opening === undefined && this.#client?.isOpen === true) return;
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    await this.#opening;
    if (!this.#closed) this.#heartbeat ??= setInterval(() => this.#beat(), PING_MS).unref();
  }

  /** Sends a command and gives its reply. */
  run(args: readonly Argument[], ms: number = this.#options.limits.redisCommandMs): Promise<unknown> {
    const ask = (client: Client, { signal }: WaitSlot): Promise<unknown> =>
      client.sendCommand(args, { timeout: 0, abortSignal: signal });
    return this.#answer(ask, ms);
  }

  /**
   * Sends many commands at once and gives their replies, or the first failure. For commands that do no harm if they run
   * late: they have one deadline in common, since the client's own, for each of them, costs more than the commands.
   */
  async runAll(commands: readonly (readonly Argument[])[]): Promise<readonly unknown[]> {
    const ask = (client: Client): Promise<unknown[]> =>
      Promise.all(commands.map((args) => client.sendCommand(args, { timeout: 0 })));
    return this.#answer(ask, this.#options.limits.redisCommandMs);
  }

  /** Sends a command about a key that this master of a cluster is about to get. */
  async runAsked(args: readonly Argument[], ms: number): Promise<unknown> {
    const ask = async (client: Client): Promise<unknown> => {
      // Written in one turn, so that no other command comes in between.
      const [, reply] = await Promise.all([client.sendCommand(["ASKING"]), client.sendCommand(args)]);
      return reply;
    };
    return this.#answer(ask, ms);
  }

  /** Lets the client ask Redis something, however long that takes, and notices when Redis hangs meanwhile. */
  async watch<T>(ask: Ask<T>): Promise<T> {
    const client = this.#client;
    if (client === undefined || !this.usable) throw unavailable("Redis is away");
    return this.#ask(client, ask);
  }

  /** Ends the connection there is; the client makes another one by itself. */
  async replace(): Promise<void> {
    await this.watch((client) => client.sendCommand(["QUIT"]));
  }

  /** Lets the commands under way end, for half a second at most, and disconnects. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#heartbeat);
    const client = this.#client;
    if (client?.isOpen !== true) return;
    await within(client.close(), CLOSE_MS, () => new Error("late")).catch(() => client.destroy());
  }

  async #answer<T>(ask: Ask<T>, ms: number): Promise<T> {
    if (this.#closed) throw unavailable("the connection to Redis has been closed");
    if (this.#options.keepsProcess === false && this.#client?.isOpen === false) await this.connect();
    try {
      return await within(this.watch(ask), ms, () =>
        unavailable(`Redis did not answer within ${Math.round(ms)} ms`),
      );
    } catch (error) {
      throw storeError(error);
    }
  }

  async #open(): Promise<void> {
    const { url, limits, subscribes = false, keepsProcess = true, onLost, onError } = this.#options;
    let connected = false;
    try {
      const client: Client = createClient({
        url,
        socket: {
          connectTimeout: limits.redisConnectMs,
          socketTimeout: SILENCE_MS,
          reconnectStrategy: () =>
            connected && !this.#isCluster && (keepsProcess || this.#pending > 0)
              ? 50 + Math.random() * 450
              : false,
        },
        // The own deadline can't take a command back; this one can, as long as it has not been written.
        commandOptions: { timeout: limits.redisCommandMs },
        // Stale commands must not run when Redis is back, but a subscription that got lost would never come back.
        disableOfflineQueue: !subscribes,
        commandsQueueMaxLength: QUEUE_LENGTH,
        maintNotifications: "disabled",
      });
      this.#client = client;
      client.on("error", (error: unknown) => {
        if (!connected) return;
        onLost?.();
        onError?.(error);
      });
      client.on("ready", () => this.#ready(connected));
      client.on("terminated", () => connected && !this.#closed && this.#options.onEnd?.());
      client.on("sharded-channel-moved", (channel) => this.#options.onChannelMoved?.(channel));
      if (!keepsProcess) client.unref();
      const ms = Math.max(limits.redisConnectMs, limits.redisCommandMs);
      await within(this.#greet(client), ms, () => unavailable(`did not answer within ${ms} ms`));
      connected = true;
    } catch (error) {
      this.#client?.destroy();
      throw connectError(url, error);
    }
    this.#ready(true);
  }

  async #greet(client: Client): Promise<void> {
    await client.connect();
    const info = await this.#asked(client, ["INFO", "server"]);
    const version = /redis_version:(\d+)\S*/.exec(info);
    if (version !== null && Number(version[1]) < OLDEST_REDIS) {
      throw unavailable(
        `has version ${version[0].slice("redis_version:".length)}; roomcast needs ${OLDEST_REDIS} or newer`,
      );
    }
    const isToldApart = info.includes("redis_mode:");
    this.#isCluster = isToldApart ? /redis_mode:cluster/.test(info) : await this.#hasSlots(client);
  }

  async #hasSlots(client: Client): Promise<boolean> {
    // Elsewhere than in a cluster it is an error.
    const info = await client.sendCommand(["CLUSTER", "INFO"]).catch((error: unknown) => {
      if (error instanceof ErrorReply) return "";
      throw error;
    });
    return String(info).includes("cluster_state:");
  }

  /** The answer to a question that an account may not be allowed to ask, which is no reason to stay away. */
  async #asked(client: Client, args: readonly string[]): Promise<string> {
    try {
      return String(await client.sendCommand(args));
    } catch (error) {
      if (isReply(error, "NOPERM")) return "";
      throw error;
    }
  }

  async #ask<T>(client: Client, ask: Ask<T>): Promise<T> {
    const slot = this.#slots.enter();
    this.#count(client, 1);
    try {
      const answer = await ask(client, slot);
      this.#answered();
      return answer;
    } catch (error) {
      if (error instanceof ErrorReply) this.#answered();
      throw error;
    } finally {
      slot.leave();
      this.#count(client, -1);
    }
  }

  #ready(greeted: boolean): void {
    this.#generation += 1;
    this.#hanging = false;
    if (greeted) this.#options.onUsable?.({ connected: true });
  }

  #answered(): void {
    if (!this.#hanging) return;
    this.#hanging = false;
    this.#options.onUsable?.({ connected: false });
  }

  /**
   * One ping is under way at most: whatever is written puts the socket's own timeout off. It is sent even if Redis
   * seems to hang, for that may have been this process, which was too busy to write its command or to read the answer.
   */
  #beat(): void {
    const client = this.#client;
    if (client?.isReady !== true || this.#pinging) return;
    this.#pinging = true;
    this.#ask(client, () => client.sendCommand(["PING"]))
      .catch(() => {})
      .finally(() => (this.#pinging = false));
  }

  #count(client: Client, change: 1 | -1): void {
    this.#pending += change;
    if (this.#options.keepsProcess !== false) return;
    if (this.#pending === 0) client.unref();
    else client.ref();
  }
}
