import type { Socket } from "node:net";
import type { RawData, WebSocket } from "ws";
import { HubError, toHubError } from "../../../shared/errors.ts";
import type { Limits } from "../../../shared/limits.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { StoredMessage } from "../../hub/broker.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Observer } from "../../hub/observer.ts";
import type { Session } from "../../hub/session.ts";
import type { Start } from "../../hub/subscription.ts";
import type { Push, Subscriber } from "../../hub/transport.ts";
import { whenDrained } from "../draining.ts";
import type { FanOut, FanOutlet } from "../fan-out.ts";
import type { Parsers } from "../schemas.ts";
import { closeWith, TRY_AGAIN } from "./closing.ts";
import { frameFor, type Frame } from "./dialect.ts";

export interface ConnectionContext {
  readonly hub: Hub;
  readonly parsers: Parsers;
  readonly limits: Limits;
  readonly observer: Observer;
  readonly fanOut: FanOut<Frame, readonly Frame[]>;
}

/** RFC 6455, section 7.4.1: data of a type that can't be accepted. */
const UNSUPPORTED = 1003;

/** One client that speaks no Socket.IO, in its one room. */
export class Connection implements Subscriber, FanOutlet<Frame, readonly Frame[]> {
  readonly session: Session;
  readonly #socket: WebSocket;
  /** Below the WebSocket: what is corked there leaves as one write. */
  readonly #net: Socket;
  readonly #context: ConnectionContext;
  readonly #beat: NodeJS.Timeout;
  #before: () => void = () => {};
  #isCorked = false;
  /** Runs out if the client answers no ping. */
  #silence: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(socket: WebSocket, net: Socket, session: Session, context: ConnectionContext) {
    this.session = session;
    this.#socket = socket;
    this.#net = net;
    this.#context = context;
    socket.on("close", () => this.#leave());
    socket.on("pong", () => this.#hear());
    this.#beat = setInterval(() => this.#ping(), context.limits.pingIntervalMs);
    context.fanOut.connect(this);
  }

  /** Joins the room; what the client says before it is there waits. */
  async run(room: RoomName, start: Start): Promise<void> {
    this.#socket.pause();
    const joined = this.#context.hub.join(this, room, start, () => this.#socket.resume());
    this.#socket.on("message", (data, isBinary) => {
      // Some frames may have been read before the pause.
      void joined.then(
        () => this.#receive(room, data, isBinary),
        () => {},
      );
    });
    try {
      await joined;
    } catch (error) {
      if (!this.#ended) this.refuse(error);
    }
  }

  /** Ends the connection with the error's code and reason. */
  refuse(error: unknown): void {
    const refused = toHubError(error);
    if (refused.code === "internal") this.#context.observer.failure("a plain WebSocket", error);
    this.#socket.resume();
    closeWith(this.#socket, refused);
    this.#leave();
  }

  /** Ends the connection; the client shall come back. */
  stop(code: number, reason: string): void {
    if (this.#ended) return;
    this.#before();
    this.#leave();
    this.#socket.resume();
    this.#socket.close(code, reason);
  }

  intercept(before: () => void): void {
    this.#before = before;
  }

  send(push: Push): void {
    if (this.#ended) return;
    this.#before();
    if (push.kind === "message") this.write(frameFor(push.message));
    else if (push.kind === "ephemeral" && push.message.except !== this.session.id)
      this.write(frameFor(push.message));
    else if (push.kind === "gap") this.#tell({ gap: push.gap });
  }

  replay(messages: readonly StoredMessage[]): void {
    if (this.#ended) return;
    this.#before();
    messages.forEach((message) => this.write(frameFor(message)));
  }

  write(frame: Frame): void {
    if (this.#ended || frame === undefined) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#net.cork();
      process.nextTick(() => this.#uncork());
    }
    this.#socket.send(frame, { binary: false });
    this.#bound();
  }

  writeJoined(frames: readonly Frame[]): void {
    frames.forEach((frame) => this.write(frame));
    this.#uncork();
  }

  drained(): Promise<void> {
    this.#uncork();
    return whenDrained(this.#net, this.#context.limits.outboundBytes / 4);
  }

  goLive(room: RoomName): void {
    this.#context.fanOut.add(room, this);
  }

  leave(room: RoomName): void {
    this.#context.fanOut.remove(room, this);
  }

  #receive(room: RoomName, data: RawData, isBinary: boolean): void {
    this.#hear();
    if (this.#ended) return;
    if (isBinary) return this.stop(UNSUPPORTED, "text frames only");
    // A log's readers have nothing to say.
    if (this.session.from === undefined) return;
    void this.#publish(room, (data as Buffer).toString());
  }

  async #publish(room: RoomName, text: string): Promise<void> {
    try {
      const publication = this.#context.parsers.message({ event: "message", data: { text } });
      const [outcome] = await this.#context.hub.publish(this.session, room, [publication]);
      if (outcome instanceof HubError) throw outcome;
    } catch (error) {
      const refused = toHubError(error);
      if (refused.code === "internal") this.#context.observer.failure("a plain WebSocket", error);
      this.#tell({ error: refused });
    }
  }

  #tell(what: object): void {
    if (this.#ended) return;
    this.#before();
    this.write(Buffer.from(JSON.stringify(what)));
  }

  #uncork(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#net.uncork();
  }

  #bound(): void {
    if (this.#socket.bufferedAmount <= this.#context.limits.outboundBytes) return;
    this.#context.observer.slow(this.session.id);
    this.stop(TRY_AGAIN, "slow");
  }

  #ping(): void {
    this.#socket.ping();
    this.#silence ??= setTimeout(() => this.#socket.terminate(), this.#context.limits.pingTimeoutMs);
  }

  #hear(): void {
    clearTimeout(this.#silence);
    this.#silence = undefined;
  }

  #leave(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#beat);
    clearTimeout(this.#silence);
    this.#context.hub.disconnect(this);
  }
}
