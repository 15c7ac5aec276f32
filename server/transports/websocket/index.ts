import { once } from "node:events";
import type { IncomingMessage, Server as HttpServer } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocketServer, type WebSocket } from "ws";
import { HubError, toHubError } from "../../../shared/errors.ts";
import { randomId } from "../../../shared/message-id.ts";
import type { Closing } from "../../../shared/protocol.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { Session } from "../../hub/session.ts";
import type { Push, Transport } from "../../hub/transport.ts";
import type { Access } from "../access.ts";
import { bearerOf } from "../bearer.ts";
import { FanOut } from "../fan-out.ts";
import { guestSession } from "../guests.ts";
import type { Turns } from "../turns.ts";
import { addressOf, joinOf, type Address } from "./address.ts";
import { closeWith, refuseUpgrade, SERVICE_RESTART } from "./closing.ts";
import { Connection, type ConnectionContext } from "./connection.ts";
import { FRAMES, type Frame } from "./dialect.ts";

export interface WebSocketOptions extends Omit<ConnectionContext, "fanOut"> {
  readonly server: HttpServer;
  readonly access: Access;
  /** Undefined if each message is to be sent by itself. */
  readonly turns: Turns | undefined;
  readonly stopping: AbortSignal;
}

/** A stopping node waits so long for its clients' goodbye, in ms. */
const END_WITHIN_MS = 1_200;

/** Plain WebSockets on `/ws/logs/<id>`, `/ws/chat/<name>` and `/chat/<name>`, for clients that speak no Socket.IO. */
export class WebSocketTransport implements Transport {
  readonly #options: WebSocketOptions;
  readonly #fanOut: FanOut<Frame, readonly Frame[]>;
  readonly #server: WebSocketServer;
  readonly #connections = new Set<Connection>();

  constructor(options: WebSocketOptions) {
    this.#options = options;
    this.#fanOut = new FanOut(FRAMES, options.turns);
    const { frameBytes, stalledMs } = options.limits;
    // Its types do not know closeTimeout yet.
    const serverOptions = {
      noServer: true,
      perMessageDeflate: false,
      maxPayload: frameBytes,
      closeTimeout: stalledMs,
    };
    this.#server = new WebSocketServer(serverOptions);
    options.server.on("upgrade", this.#onUpgrade);
  }

  deliver(room: RoomName, push: Push): void {
    this.#fanOut.deliver(room, push);
  }

  async close({ code }: Closing): Promise<void> {
    const sockets = [...this.#server.clients];
    const closed = sockets.map((socket) => once(socket, "close"));
    for (const connection of this.#connections) connection.stop(SERVICE_RESTART, code);
    await Promise.race([Promise.all(closed), sleep(END_WITHIN_MS, undefined, { ref: false })]);
    sockets.forEach((socket) => socket.terminate());
    this.#options.server.off("upgrade", this.#onUpgrade);
  }

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const address = addressOf(request);
    // Socket.IO's and whatever else listens on this server.
    if (address === undefined) return;
    try {
      this.#options.access.check(request);
      if (this.#options.stopping.aborted) throw new HubError("unavailable", "this node is about to stop");
    } catch (error) {
      socket.on("error", () => socket.destroy());
      refuseUpgrade(socket, toHubError(error));
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (client) =>
      this.#connect(client, socket as Socket, address, request),
    );
  };

  #connect(client: WebSocket, net: Socket, address: Address, request: IncomingMessage): void {
    // What is wrong with a frame closes its connection; ws says so here as well.
    client.on("error", () => {});
    try {
      // Only now, when a browser can be told why.
      const { room, ...start } = joinOf(address, this.#options.parsers);
      const session = this.#sessionOf(address, request);
      const connection = new Connection(client, net, session, { ...this.#options, fanOut: this.#fanOut });
      this.#connections.add(connection);
      client.on("close", () => this.#connections.delete(connection));
      void connection.run(room, start);
    } catch (error) {
      closeWith(client, toHubError(error));
    }
  }

  #sessionOf({ kind, query }: Address, request: IncomingMessage): Session {
    const token = bearerOf(request);
    const id = randomId();
    if (kind === "stream") return token === undefined ? { id } : { id, token };
    const username = query.get("username") ?? "";
    if (username.trim() === "") throw new HubError("unauthorized", "a chat needs ?username=");
    return guestSession(id, { username, token }, this.#options.limits);
  }
}
