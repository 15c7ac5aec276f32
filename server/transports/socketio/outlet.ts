import type { Socket } from "socket.io";
import type { Limits } from "../../../shared/limits.ts";
import type { StoredMessage } from "../../hub/broker.ts";
import type { Observer } from "../../hub/observer.ts";
import type { Push } from "../../hub/transport.ts";
import type { FanOutlet } from "../fan-out.ts";
import { EngineWire, type WireOwner } from "./engine-wire.ts";
import { packetFor, type Packet } from "./packet.ts";
import type { Replays } from "./replays.ts";

/** What all outlets have in common. */
export interface OutletContext {
  readonly limits: Pick<Limits, "outboundBytes" | "stalledMs">;
  readonly replays: Replays;
  readonly observer: Observer;
}

/** How often a connection that is full is looked at again, in ms. */
const DRAIN_POLL_MS = 10;

/** One connection's way out: keeps its order, counts its bytes, and gives up on a reader that takes nothing. */
export class Outlet implements FanOutlet<Packet, Buffer>, WireOwner {
  readonly id: string;
  readonly #socket: Socket;
  readonly #context: OutletContext;
  readonly #wire: EngineWire;
  /** Undefined where nothing may go past engine.io. */
  #before: (() => void) | undefined;
  #ended = false;

  constructor(socket: Socket, context: OutletContext) {
    this.id = socket.id;
    this.#socket = socket;
    this.#context = context;
    this.#wire = new EngineWire(socket.conn, this);
  }

  /** Calls `before` whenever anything else leaves on this connection, or it closes. */
  intercept(before: () => void): void {
    this.#before = before;
    this.#wire.intercept();
  }

  beforePacket(): void {
    if (!this.#ended) this.#before?.();
  }

  /** Counts everything, acknowledgements and other people's emits too: all of it fills the same buffer. */
  onPacket(): void {
    if (this.#wire.queued > this.#context.limits.outboundBytes) this.#giveUp();
  }

  send(push: Push): void {
    if (push.kind === "gap") this.#socket.emit("room:gap", push.gap);
    else if (push.kind === "members") this.write(packetFor(push));
    else if (push.kind === "message" || push.message.except !== this.id) this.write(packetFor(push.message));
  }

  write(packet: Packet): void {
    this.#wire.write(packet);
  }

  /** Sends packets whose frames have been joined already: as one write where nothing stands in the way. */
  writeJoined(packets: readonly Packet[], joined: Buffer): void {
    if (this.#ended) return;
    if (!this.#wire.writeDirectly(joined)) packets.forEach((packet) => this.#wire.write(packet));
  }

  /** Sends messages of one log, without a hole, after all that was sent before. */
  replay(messages: readonly StoredMessage[]): void {
    if (this.#ended) return;
    if (this.#before === undefined) return messages.forEach((message) => this.write(packetFor(message)));
    this.#before();
    const { packets, joined } = this.#context.replays.of(messages);
    this.writeJoined(packets, joined);
  }

  /** Resolves when a good part of the buffer is free, or the connection has ended. */
  async drained(): Promise<void> {
    const { outboundBytes, stalledMs } = this.#context.limits;
    const enough = outboundBytes / 4;
    let least = Number.POSITIVE_INFINITY;
    let progressAt = Date.now();
    for (let { queued } = this.#wire; queued > enough && !this.#ended; { queued } = this.#wire) {
      if (queued < least) {
        least = queued;
        progressAt = Date.now();
      } else if (Date.now() - progressAt > stalledMs) return this.#giveUp();
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }

  /** Closes the connection when all that was sent has been handed over; a client that fetches nothing is cut off. */
  close(): void {
    this.#wire.close();
  }

  /** The connection has ended: whoever waits for it goes on. */
  end(): void {
    this.#ended = true;
    this.#wire.end();
  }

  #giveUp(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#context.observer.slow(this.id);
    this.#wire.cut();
  }
}
