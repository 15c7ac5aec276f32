import { createServer, type Server as HttpServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type {
  BroadcastOperator,
  DefaultEventsMap,
  Server as SocketIoServer,
  ServerOptions as SocketIoOptions,
} from "socket.io";
import { HubError } from "../shared/errors.ts";
import type { Limits } from "../shared/limits.ts";
import type { PublishReply } from "../shared/protocol.ts";
import type { RoomOptions } from "../shared/room-options.ts";
import type { DialectName } from "./bridge/dialects.ts";
import { Bridge } from "./bridge/index.ts";
import { loadConfig, type Config, type LogLevel, type StoreKind } from "./config.ts";
import { allowEveryone, type Authorize } from "./hub/authorize.ts";
import type { Broker } from "./hub/broker.ts";
import { Hub, type HubContext } from "./hub/hub.ts";
import type { Observer } from "./hub/observer.ts";
import type { PresenceStore } from "./hub/presence-store.ts";
import type { Session } from "./hub/session.ts";
import { createLog, observeInto } from "./operations/log.ts";
import { LocalBroker } from "./stores/local-broker.ts";
import { LocalMembers } from "./stores/local-members.ts";
import { LocalPresence } from "./stores/local-presence.ts";
import type { Durability, StoreSize } from "./stores/disk/database.ts";
import { DiskStore } from "./stores/disk/disk-store.ts";
import { MemoryStore } from "./stores/memory/memory-store.ts";
import { socketRoom } from "./stores/redis/keys.ts";
import { RedisBroker } from "./stores/redis/redis-broker.ts";
import { createAccess, isLoopback } from "./transports/access.ts";
import { createHttpHandler, type HttpHandler } from "./transports/http/index.ts";
import { createParsers, type Parsers } from "./transports/schemas.ts";
import { SseTransport } from "./transports/sse/index.ts";
import { SocketIoTransport } from "./transports/socketio/index.ts";
import { Turns, type Gathering } from "./transports/turns.ts";
import { WebSocketTransport } from "./transports/websocket/index.ts";

export type { Authorize, Capability } from "./hub/authorize.ts";
export type { Session } from "./hub/session.ts";
export type { HttpHandler } from "./transports/http/index.ts";
export { ConfigError } from "./config.ts";
export { DataFolderError, type DataFolderProblem } from "./stores/disk/data-folder-error.ts";
export { HubError, type ErrorCode } from "../shared/errors.ts";
export type { StoreSize } from "./stores/disk/database.ts";
export type { Limits } from "../shared/limits.ts";
export type { Published, PublishedEphemeral, PublishReply } from "../shared/protocol.ts";

/** Options of rooms; those that are missing are as in the rooms' kind. */
export interface RoomSettings extends Partial<Pick<RoomOptions, "messages" | "presence" | "uniqueNames">> {
  /** As in "30d". */
  readonly age?: string;
}

export interface HubOptions {
  /** Your own http server: the hub attaches its Socket.IO to it. Without it the hub makes one, with its HTTP routes. */
  readonly server?: HttpServer;
  /** Redis, or members of a Redis Cluster with commas between them; without it the log is in the data folder. */
  readonly redisUrl?: string;
  /** Appends what other systems publish into that Redis: those whose formats these are. */
  readonly bridge?: readonly DialectName[];
  /** Where a hub without Redis keeps its log: on "disk", or in "memory", where it ends with the process. */
  readonly store?: StoreKind;
  /** The folder of the log, `./data` unless told otherwise; one process at a time may use it. */
  readonly data?: string;
  /** When a message is acknowledged: when it is "synced" to disk, or as soon as it is "written". */
  readonly durability?: Durability;
  /** What is kept and who is seen, by the rooms' name or the beginning of one and a `*`. */
  readonly rooms?: Readonly<Record<string, RoomSettings>>;
  /** Pages that may use the hub beside its own, as `https://app.example.com`. */
  readonly origins?: readonly string[];
  /** Everyone who reaches the address may read and write. Without it, only this machine may. */
  readonly open?: boolean;
  readonly limits?: Partial<Limits>;
  /** Joins what a room gets at once into one write for each connection, as it does by default. */
  readonly fastPath?: boolean;
  readonly logLevel?: LogLevel;
  /** Decides on every request who may do what in which room; without it, everyone who reaches the hub may. */
  readonly authorize?: Authorize;
}

export interface PublishOptions {
  /** Sent again within 10 minutes, the same id is the same message. */
  readonly id?: string;
  /** Delivered live and never kept. */
  readonly ephemeral?: boolean;
}

/** A running hub: one node, alone or one of many. */
export interface RoomcastHub {
  /** The Socket.IO server. The hub is on the namespace `/`; all others are yours. */
  readonly io: SocketIoServer;
  /** The HTTP routes, for your own server: `app.use("/hub", hub.handler)`. */
  readonly handler: HttpHandler;
  /**
   * Listens, on 127.0.0.1:3000 unless told otherwise, and resolves with the address as a URL.
   *
   * @throws HubError `unauthorized` for an address that other machines reach, unless the hub is open
   */
  listen(port?: number, host?: string): Promise<string>;
  /** @throws HubError, see the table of errors in PROTOCOL.md */
  publish(room: string, event: string, data: unknown, options?: PublishOptions): Promise<PublishReply>;
  /** Stock Socket.IO for a room's members on all nodes (emit, except, fetchSockets, …), beside its log. */
  to(room: string): BroadcastOperator<DefaultEventsMap, unknown>;
  /** How much the data folder holds; undefined without one. */
  size(): StoreSize | undefined;
  /** Tells all clients to come back elsewhere, answers what is under way, and ends the http server too. */
  close(): Promise<void>;
}

/** The session of the program that embeds the hub; it may do everything. */
const PROGRAM: Session = { id: "program" };
/** A request that has not sent its headers after so long is closed, in ms. */
const HEADERS_MS = 10_000;
/** Connections that wait to be taken; Node's 511 are too few for all clients of a node that has died. The system may allow fewer. */
const BACKLOG = 4_096;
const WEB_ROOT = fileURLToPath(new URL("../client/web/", import.meta.url));
const { version } = createRequire(import.meta.url)("roomcast/package.json") as { version: string };

/**
 * Starts a hub: a program of its own, or inside your http server.
 *
 * @throws ConfigError with every problem of the options; HubError `unavailable` if Redis can't be reached;
 *   DataFolderError if the data folder is in use, damaged, of a newer version, or can't be reached
 */
export async function createHub(options: HubOptions = {}): Promise<RoomcastHub> {
  const { server, authorize, ...settings } = options;
  return runHub(loadConfig(settings), server, authorize);
}

/**
 * Starts a hub with a configuration that is checked already.
 *
 * @param makeHub puts another core in its place, to see whether it would be noticed
 */
export async function runHub(
  config: Config,
  server?: HttpServer,
  authorize: Authorize = allowEveryone,
  makeHub: (context: HubContext) => Hub = (context) => new Hub(context),
): Promise<RoomcastHub> {
  const observer = observeInto(createLog(config.logLevel));
  const { broker, presence, ...rest } = await openStore(config, observer);
  const mayDo: Authorize = (session, capability, room) =>
    session === PROGRAM || authorize(session, capability, room);
  const { limits, rooms } = config;
  const hub = makeHub({ broker, presence, authorize: mayDo, observer, limits, rooms });
  try {
    await rest.bridge?.start();
    await hub.start();
  } catch (error) {
    await Promise.all([rest.bridge?.close(), broker.close()]);
    throw error;
  }
  return new Node(config, hub, observer, server, authorize, rest);
}

interface Store {
  readonly broker: Broker;
  readonly presence: PresenceStore;
  /** How its messages arrive here. */
  readonly gathering: Gathering;
  /** Carries stock emits between nodes; a single node needs none. */
  readonly adapter: SocketIoOptions["adapter"] | undefined;
  readonly size: (() => StoreSize) | undefined;
  /** Brings in what others publish into Redis. */
  readonly bridge?: Bridge;
}

async function openStore(config: Config, observer: Observer): Promise<Store> {
  const { redisUrl, limits, rooms, data, durability } = config;
  const { idempotencyMs } = limits;
  const onError = (error: unknown): void => observer.failure("the store", error);
  if (redisUrl !== undefined) {
    const onWarning = (text: string): void => observer.warning(text);
    const broker = new RedisBroker({ url: redisUrl, limits, roomOptions: rooms, onError, onWarning });
    const bridge = { url: redisUrl, limits, dialects: config.bridge, onError, onWarning };
    return {
      ...(config.bridge.length > 0 && { bridge: new Bridge(bridge) }),
      broker,
      presence: broker.presence(),
      gathering: "tick",
      adapter: broker.socketAdapter(),
      size: undefined,
    };
  }
  const presence = new LocalPresence(new LocalMembers(), { onError });
  if (config.store === "memory") {
    const memory = new LocalBroker(new MemoryStore({ idempotencyMs }), { onError });
    return { broker: memory, presence, gathering: "immediate", adapter: undefined, size: undefined };
  }
  const store = await DiskStore.open({ folder: data, durability, idempotencyMs, onError });
  const broker = new LocalBroker(store, { onError, onClose: () => store.close() });
  return { broker, presence, gathering: "immediate", adapter: undefined, size: () => store.size() };
}

class Node implements RoomcastHub {
  readonly io: SocketIoServer;
  readonly handler: HttpHandler;
  readonly #config: Config;
  readonly #size: (() => StoreSize) | undefined;
  readonly #bridge: Bridge | undefined;
  readonly #hub: Hub;
  readonly #parsers: Parsers;
  readonly #server: HttpServer;
  readonly #stopping = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(
    config: Config,
    hub: Hub,
    observer: Observer,
    server: HttpServer | undefined,
    authorize: Authorize,
    { adapter, gathering, size, bridge }: Omit<Store, "broker" | "presence">,
  ) {
    const { limits, origins, open } = config;
    this.#config = config;
    this.#size = size;
    this.#bridge = bridge;
    this.#hub = hub;
    this.#parsers = createParsers(limits);
    const context = {
      hub,
      parsers: this.#parsers,
      access: createAccess({ origins, open }),
      authorize,
      limits,
      observer,
      turns: config.fastPath ? new Turns(gathering) : undefined,
      stopping: this.#stopping.signal,
    };
    const streams = new SseTransport(context);
    this.handler = createHttpHandler({ ...context, streams, webRoot: WEB_ROOT, version });
    // A stream of lines may last as long as its program; all other bodies have a deadline of their own.
    this.#server = server ?? createServer({ requestTimeout: 0, headersTimeout: HEADERS_MS }, this.handler);
    const shared = server !== undefined;
    const socketIo = new SocketIoTransport({ ...context, server: this.#server, socketRoom, adapter, shared });
    const webSocket = new WebSocketTransport({ ...context, server: this.#server });
    for (const transport of [streams, webSocket, socketIo]) hub.addTransport(transport);
    this.io = socketIo.io;
  }

  listen(port: number = this.#config.port, host: string = this.#config.host): Promise<string> {
    if (!this.#config.open && !isLoopback(host)) {
      const message = `listening on ${host} lets other machines in: set ROOMCAST_OPEN=1 (--open) if everyone who reaches it may read and write, or HOST=127.0.0.1`;
      return Promise.reject(new HubError("unauthorized", message));
    }
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port, host, backlog: BACKLOG }, () => {
        this.#server.off("error", reject);
        const { port: actual } = this.#server.address() as AddressInfo;
        resolve(`http://${host.includes(":") ? `[${host}]` : host}:${actual}`);
      });
    });
  }

  async publish(
    room: string,
    event: string,
    data: unknown,
    options: PublishOptions = {},
  ): Promise<PublishReply> {
    const { room: name, ...publication } = this.#parsers.publish({ room, event, data, ...options });
    const [result] = await this.#hub.publish(PROGRAM, name, [publication]);
    if (result instanceof HubError) throw result;
    return result!;
  }

  to(room: string): BroadcastOperator<DefaultEventsMap, unknown> {
    return this.io.to(socketRoom(this.#parsers.room(room)));
  }

  size(): StoreSize | undefined {
    return this.#size?.();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stopping.abort();
    // Connections that a request leaves idle keep the server from ending; each look closes those there are.
    const idle = setInterval(() => this.#server.closeIdleConnections(), 50);
    const late = setTimeout(() => this.#server.closeAllConnections(), this.#config.limits.drainMs);
    try {
      const closing = this.#hub.close({ code: "shutdown", reconnect: true, delayMs: 0 });
      await Promise.all([closing, this.#bridge?.close()]);
    } finally {
      clearInterval(idle);
      clearTimeout(late);
    }
  }
}
