import type { Socket } from "socket.io";
import { HubError, toHubError } from "../../../shared/errors.ts";
import type { Limits } from "../../../shared/limits.ts";
import type { Closing, JoinReply, RequestFailed } from "../../../shared/protocol.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { StoredMessage } from "../../hub/broker.ts";
import type { Observer } from "../../hub/observer.ts";
import type { Session } from "../../hub/session.ts";
import type { Push, Subscriber } from "../../hub/transport.ts";
import type { FanOut } from "../fan-out.ts";
import { Outlet } from "./outlet.ts";
import type { Replays } from "./replays.ts";
import type { Packet } from "./packet.ts";
import { REQUESTS, type Handler, type RequestContext } from "./requests.ts";

export interface ConnectionContext extends RequestContext {
  readonly fanOut: FanOut<Packet, Buffer>;
  readonly replays: Replays;
  readonly limits: Limits;
  readonly observer: Observer;
  /** The Socket.IO room of a hub's room, in which stock code finds its members. */
  readonly socketRoom: (room: RoomName) => string;
}

type Ack = (reply: object) => void;

/** Room names in an alias are echoed, so a long one is cut in an error. */
const ECHO_LENGTH = 200;

/** One client on the namespace `/`: its requests go to the hub, its rooms' pushes come out of its outlet. */
export class Connection implements Subscriber {
  readonly session: Session;
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  readonly #outlet: Outlet;
  /** Undefined if there is nothing: most connections only listen. */
  #underWay: Set<Promise<void>> | undefined;

  constructor(socket: Socket, session: Session, context: ConnectionContext) {
    this.session = session;
    this.#socket = socket;
    this.#context = context;
    this.#outlet = new Outlet(socket, context);
    context.fanOut.connect(this.#outlet);
  }

  /** Joins the rooms that the handshake names. */
  joinFromUrl(): void {
    const { query, auth } = this.#socket.handshake;
    if (query["room"] === undefined) return;
    // A stock client writes a list into its query with commas, which no room's name has.
    const names = [query["room"]].flat().flatMap((list) => list.split(","));
    const positions = (auth["since"] ?? {}) as Readonly<Record<string, unknown>>;
    for (const name of names) {
      const since =
        typeof positions === "object" && Object.hasOwn(positions, name) ? positions[name] : undefined;
      void this.#joinAtConnect(name, since === undefined ? rewindOf(query["rewind"]) : { since });
    }
  }

  /** Takes a request of the client. */
  receive(event: string, args: unknown[]): void {
    const ack = typeof args.at(-1) === "function" ? (args.pop() as Ack) : undefined;
    if (event === "subscribe") {
      for (const name of args) void this.#subscribe(name);
      return;
    }
    const handler = Object.hasOwn(REQUESTS, event) ? REQUESTS[event] : undefined;
    if (handler === undefined) {
      // The program that embeds the hub may have requests of its own.
      if (this.#socket.listenerCount(event) === 0)
        this.#fail(event, undefined, ack, new HubError("bad_request", "unknown request"));
      return;
    }
    const underWay = (this.#underWay ??= new Set());
    const done = this.#answer(handler, event, args[0], ack).then(() => {
      underWay.delete(done);
      if (underWay.size === 0 && this.#underWay === underWay) this.#underWay = undefined;
    });
    underWay.add(done);
  }

  /** The client has gone. */
  end(): void {
    this.#outlet.end();
    this.#context.hub.disconnect(this);
  }

  send(push: Push): void {
    this.#outlet.send(push);
  }

  replay(messages: readonly StoredMessage[]): void {
    this.#outlet.replay(messages);
  }

  drained(): Promise<void> {
    return this.#outlet.drained();
  }

  goLive(room: RoomName): void {
    this.#context.fanOut.add(room, this.#outlet);
    // Its promise only says that the adapter has subscribed; the hub's own subscription is there already.
    Promise.resolve(this.#socket.join(this.#context.socketRoom(room))).catch((error: unknown) =>
      this.#context.observer.failure("joining the adapter's room", error),
    );
  }

  leave(room: RoomName): void {
    this.#context.fanOut.remove(room, this.#outlet);
    void this.#socket.leave(this.#context.socketRoom(room));
  }

  /** Resolves when the requests that are under way now have their answers. */
  async answered(): Promise<void> {
    if (this.#underWay !== undefined) await Promise.all(this.#underWay);
  }

  warn(closing: Closing): void {
    this.#socket.emit("hub:closing", closing);
  }

  /**
   * Ends the connection: the transport if the client shall come back by itself, else the namespace. Resolves when it has
   * ended, which for a polling client is after it has fetched what waits for it.
   */
  async close(closing: Closing): Promise<void> {
    if (!this.#socket.connected) return;
    const ended = new Promise<void>((resolve) => this.#socket.once("disconnect", () => resolve()));
    if (closing.reconnect) this.#outlet.close();
    else this.#socket.disconnect();
    await ended;
  }

  async #answer(handler: Handler, event: string, input: unknown, ack: Ack | undefined): Promise<void> {
    try {
      await handler(this.#context, this, input, (body) => ack?.({ ok: true, ...body }));
    } catch (error) {
      this.#fail(event, input, ack, error);
    }
  }

  #fail(request: string, input: unknown, ack: Ack | undefined, error: unknown): void {
    const refused = toHubError(error);
    if (refused.code === "internal") this.#context.observer.failure(`request ${request}`, error);
    if (ack !== undefined) return ack({ ok: false, error: refused });
    const { room } = (input ?? {}) as { room?: unknown };
    const failed: RequestFailed = {
      request: request.slice(0, ECHO_LENGTH),
      ...(typeof room === "string" ? { room: room.slice(0, ECHO_LENGTH) } : {}),
      code: refused.code,
      message: refused.message,
    };
    this.#socket.emit("hub:error", failed);
  }

  /** The alias of older clients: `subscribe "a" "b"` is answered by `joined "a"`, `joined "b"`. */
  async #subscribe(name: unknown): Promise<void> {
    try {
      await this.#context.hub.join(this, this.#context.parsers.alias(name), {}, () =>
        this.#socket.emit("joined", name),
      );
    } catch (error) {
      this.#fail("subscribe", { room: name }, undefined, error);
    }
  }

  async #joinAtConnect(name: string, start: object): Promise<void> {
    try {
      const { room, ...checked } = this.#context.parsers.join({ room: name, ...start });
      await this.#context.hub.join(this, room, checked, (reply: JoinReply) =>
        this.#socket.emit("room:joined", reply),
      );
    } catch (error) {
      const { code, message, retryable } = toHubError(error);
      if (!this.#socket.connected) return;
      this.#socket.emit("room:closed", { room: name.slice(0, ECHO_LENGTH), code, reason: message });
      // The URL is all that this client knows: only a new connection makes it ask again.
      if (!retryable) return;
      const closing: Closing = { code: "unavailable", reconnect: true, delayMs: 0 };
      this.warn(closing);
      await this.close(closing);
    }
  }
}

function rewindOf(rewind: unknown): object {
  return rewind === undefined ? {} : { rewind };
}
