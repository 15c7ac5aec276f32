import type { IncomingMessage, Server as HttpServer } from "node:http";
import type { Socket as NetSocket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, type ServerOptions, type Socket } from "socket.io";
import { WebSocketServer } from "ws";
import { HubError, toHubError } from "../../../shared/errors.ts";
import type { Closing } from "../../../shared/protocol.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { Session } from "../../hub/session.ts";
import type { Push, Transport } from "../../hub/transport.ts";
import type { Access } from "../access.ts";
import { FanOut } from "../fan-out.ts";
import type { Turns } from "../turns.ts";
import { Connection, type ConnectionContext } from "./connection.ts";
import { boundClosing, isEngineKnown, joinFirstPackets } from "./engine-wire.ts";
import { letGoOfRequest, letGoOfResponse, letGoOfSlack } from "./kept-request.ts";
import { sessionOf } from "./handshake.ts";
import { Replays } from "./replays.ts";
import { PACKETS } from "./packet.ts";

export interface SocketIoOptions extends Omit<ConnectionContext, "fanOut" | "replays"> {
  readonly server: HttpServer;
  readonly access: Access;
  /** Carries stock emits to other nodes; Socket.IO's own, for one node, if undefined. */
  readonly adapter: ServerOptions["adapter"] | undefined;
  /** Undefined if each message is to be sent by itself. */
  readonly turns: Turns | undefined;
  readonly stopping: AbortSignal;
  /** Leave upgrades on other paths to whoever else listens on this server. */
  readonly shared: boolean;
}

/** A stopping node tells its clients to come back within so long, each after a time of its own, in ms. */
const RETURN_WITHIN_MS = 2_000;
/** Requests under way when a node stops get their answers within so long, in ms. */
const ANSWER_WITHIN_MS = 2_000;
/** A little more than what the outlets wait for their clients, in ms. */
const END_WITHIN_MS = 1_200;

/** Socket.IO on the path `/socket.io`: the hub lives on the namespace `/`, all others are the program's own. */
export class SocketIoTransport implements Transport {
  readonly io: Server;
  readonly #context: ConnectionContext;
  readonly #connections = new Map<Socket, Connection>();
  /** Not in `socket.data`, which `fetchSockets` shows to every node and every stock server. */
  readonly #admitted = new WeakMap<Socket, Session>();
  readonly #upgraded = new Set<Duplex>();
  readonly #listeners = sharedListeners(this.#connections, this.#upgraded);
  readonly #options: SocketIoOptions;

  constructor(options: SocketIoOptions) {
    this.#options = options;
    const fanOut = new FanOut(PACKETS, turnsOf(options));
    this.#context = { ...options, fanOut, replays: new Replays() };
    this.io = new Server(options.server, serverOptions(options));
    boundClosing(this.io.engine);
    joinFirstPackets(this.io.engine);
    this.io.use((socket, next) => this.#admit(socket, next));
    this.io.on("connection", (socket) => this.#connect(socket));
    options.server.on("upgrade", this.#onUpgrade);
  }

  deliver(room: RoomName, push: Push): void {
    this.#context.fanOut.deliver(room, push);
  }

  async close(closing: Closing): Promise<void> {
    const connections = [...this.#connections.values()];
    connections.forEach((one) =>
      one.warn({ ...closing, delayMs: Math.round(Math.random() * RETURN_WITHIN_MS) }),
    );
    // A replay may take longer than a stopping node has; its reader goes on elsewhere, from where it is.
    await atMost(
      ANSWER_WITHIN_MS,
      connections.map((one) => one.answered()),
    );
    await atMost(
      END_WITHIN_MS,
      connections.map((one) => one.close(closing)),
    );
    await this.io.close();
    // One that was still changing its transport is known to nobody else.
    this.#options.server.off("upgrade", this.#onUpgrade);
    this.#upgraded.forEach((socket) => socket.destroy());
  }

  readonly #onUpgrade = ({ url }: IncomingMessage, socket: Duplex): void => {
    if (url?.startsWith(this.io.path()) !== true) return;
    letGoOfResponse(this.io.engine, socket as NetSocket);
    this.#upgraded.add(socket);
    socket.on("close", this.#listeners.closed);
  };

  #admit(socket: Socket, next: (error?: Error) => void): void {
    // A connect_error would be the end for a stock client; a closed transport makes it try again, elsewhere.
    if (this.#options.stopping.aborted) {
      socket.conn.close();
      return;
    }
    try {
      this.#admitted.set(socket, sessionOf(socket, this.#options.limits));
      return next();
    } catch (error) {
      const refused = toHubError(error);
      return next(Object.assign(new Error(refused.message), { data: refused.toJSON() }));
    }
  }

  #connect(socket: Socket): void {
    const session = this.#admitted.get(socket)!;
    this.#admitted.delete(socket);
    const connection = new Connection(socket, session, this.#context);
    this.#connections.set(socket, connection);
    socket.onAny(this.#listeners.request);
    socket.on("disconnect", this.#listeners.disconnected);
    connection.joinFromUrl();
    // After the program's own listeners, who may still want all of it.
    process.nextTick(letGo, socket);
  }
}

function letGo(socket: Socket): void {
  letGoOfRequest(socket.conn);
  letGoOfSlack(socket);
}

interface SharedListeners {
  readonly request: (this: Socket, event: string, ...args: unknown[]) => void;
  readonly disconnected: (this: Socket) => void;
  readonly closed: (this: Duplex) => void;
}

/** One of each for all connections: closures of their own are a good part of what an idle connection costs. */
function sharedListeners(connections: Map<Socket, Connection>, upgraded: Set<Duplex>): SharedListeners {
  return {
    request(event, ...args) {
      connections.get(this)?.receive(event, args);
    },
    disconnected() {
      connections.get(this)?.end();
      connections.delete(this);
    },
    closed() {
      upgraded.delete(this);
    },
  };
}

function turnsOf({ turns, observer }: SocketIoOptions): Turns | undefined {
  if (turns === undefined || isEngineKnown()) return turns;
  observer.warning(
    "this version of engine.io or ws is not known: each message is sent by itself, which is slower",
  );
  return undefined;
}

function serverOptions({ access, adapter, limits, shared }: SocketIoOptions): Partial<ServerOptions> {
  return {
    // The version with the latest fixes; engine.io would bring an older one.
    wsEngine: WebSocketServer,
    ...(adapter === undefined ? {} : { adapter }),
    allowRequest(request, decide) {
      try {
        access.check(request);
        decide(null, true);
      } catch (error) {
        decide(toHubError(error).message, false);
      }
    },
    cors(request, decide) {
      const { headers } = request as IncomingMessage;
      // Whoever passed allowRequest may read the answers; it is asked first, and `cors` never refuses by itself. An
      // upgrade has no answer that a page could read.
      const origin = headers.upgrade === undefined && passes(access, request as IncomingMessage);
      decide(null, { origin, methods: ["GET", "POST"] });
    },
    maxHttpBufferSize: limits.frameBytes,
    connectTimeout: limits.handshakeMs,
    pingInterval: limits.pingIntervalMs,
    pingTimeout: limits.pingTimeoutMs,
    perMessageDeflate: false,
    destroyUpgrade: !shared,
  };
}

function passes(access: Access, request: IncomingMessage): boolean {
  try {
    access.check(request);
    return true;
  } catch (error) {
    if (error instanceof HubError) return false;
    throw error;
  }
}

async function atMost(ms: number, all: readonly Promise<void>[]): Promise<void> {
  await Promise.race([Promise.all(all), sleep(ms, undefined, { ref: false })]);
}
