import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { createHub, type HubOptions, type RoomcastHub } from "../../server/index.ts";
import type { Meta } from "../../shared/message.ts";
import type { Gap, JoinReply, Reply } from "../../shared/protocol.ts";

export interface RunningNode {
  readonly hub: RoomcastHub;
  readonly url: string;
}

/** How many network connections a node has, of whatever kind. */
export function openSockets({ hub }: RunningNode): Promise<number> {
  return new Promise((resolve, reject) =>
    hub.io.httpServer.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  );
}

/** `ROOMCAST_FAST_PATH=no npm test` runs every test without it: it may change no result, only speed. */
const FAST_PATH = process.env["ROOMCAST_FAST_PATH"] !== "no";

/** A stock client that writes down the room messages that it gets. */
export interface StockClient {
  readonly socket: Socket;
  readonly messages: { readonly event: string; readonly data: unknown; readonly meta: Meta }[];
  readonly gaps: Gap[];
  offsets(): number[];
  ask<T = Record<string, unknown>>(request: string, input?: unknown): Promise<Reply<T>>;
  /** Joins; throws what the hub refuses. */
  join(room: string, start?: object): Promise<JoinReply>;
}

/** Starts nodes and clients for one test, and ends them all. */
export class Nodes {
  readonly #hubs: RoomcastHub[] = [];
  readonly #sockets: Socket[] = [];

  async start(options: HubOptions = {}, port = 0): Promise<RunningNode> {
    const hub = await createHub({ logLevel: "silent", store: "memory", fastPath: FAST_PATH, ...options });
    this.#hubs.push(hub);
    return { hub, url: await hub.listen(port) };
  }

  /** Connects a stock client; resolves when it is connected. */
  async client(url: string, options: Partial<ManagerOptions & SocketOptions> = {}): Promise<StockClient> {
    const client = this.connecting(url, options);
    await new Promise<void>((resolve, reject) =>
      client.socket.once("connect", resolve).once("connect_error", reject),
    );
    return client;
  }

  connecting(url: string, options: Partial<ManagerOptions & SocketOptions> = {}): StockClient {
    const socket = io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
    this.#sockets.push(socket);
    const client: StockClient = {
      socket,
      messages: [],
      gaps: [],
      offsets: () => client.messages.map(({ meta }) => meta.offset!),
      ask: (request, input) => socket.timeout(10_000).emitWithAck(request, input),
      async join(room, start = {}) {
        const reply = await client.ask<JoinReply>("join", { room, ...start });
        if (!reply.ok) throw new Error(`${reply.error.code}: ${reply.error.message}`);
        return reply;
      },
    };
    socket.onAny((event: string, data: unknown, meta?: Meta) => {
      if (event === "room:gap") client.gaps.push(data as Gap);
      else if (meta !== undefined) client.messages.push({ event, data, meta });
    });
    return client;
  }

  async close(): Promise<void> {
    this.#sockets.splice(0).forEach((socket) => socket.disconnect());
    await Promise.all(this.#hubs.splice(0).map((hub) => hub.close()));
  }
}
