import type { Server, Socket } from "socket.io";
import type { Limits } from "../../../shared/limits.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { Push } from "../../hub/transport.ts";

// The one file that knows what is inside engine.io: its packets, its buffer, and the ws under its transport.

/** What engine.io takes with a packet; `wsPreEncodedFrame` is the ready WebSocket frame, as an array of buffers. */
interface PacketOptions {
  readonly compress: boolean;
  readonly wsPreEncodedFrame: readonly Buffer[];
}

/** A push as it leaves: encoded once, whatever the number of those who get it. */
interface Packet {
  /** A Socket.IO packet of the namespace `/`. */
  readonly text: string;
  readonly options: PacketOptions;
}

interface EngineTransport {
  readonly name: string;
  /** Polling only: how long a closing connection waits for its client's next request, in ms. */
  closeTimeout?: number;
  readonly socket?: { readonly bufferedAmount: number; terminate(): void };
}

/** A closing connection waits so long for its client to fetch what there is for it, in ms. */
const FETCH_WITHIN_MS = 1_000;
/** How often a connection that is full is looked at again, in ms. */
const DRAIN_POLL_MS = 10;

/** One connection's way out: keeps its order, counts its bytes, and gives up on a reader that takes nothing. */
export class Outlet {
  readonly id: string;
  readonly #socket: Socket;
  readonly #limits: Pick<Limits, "outboundBytes" | "stalledMs">;
  readonly #onSlow: () => void;
  /** Bytes that engine.io has not handed to its transport yet. */
  #unflushed = 0;
  #ended = false;

  /** @param onSlow is called once, when the reader has been too slow; the connection is gone then */
  constructor(socket: Socket, limits: Pick<Limits, "outboundBytes" | "stalledMs">, onSlow: () => void) {
    this.id = socket.id;
    this.#socket = socket;
    this.#limits = limits;
    this.#onSlow = onSlow;
    // Counts everything, acknowledgements and other people's emits too: all of it fills the same buffer.
    socket.conn.on("packetCreate", this.#onPacket);
    socket.conn.on("flush", this.#onFlush);
  }

  send(push: Push): void {
    if (push.kind === "gap") this.#socket.emit("room:gap", push.gap);
    else if (push.kind === "members") this.write(framed(push));
    else if (push.kind === "message" || push.message.except !== this.id)
      this.write(packetOf(push.message.packet));
  }

  write(packet: Packet): void {
    this.#socket.conn.write(packet.text, packet.options);
  }

  /** Resolves when a good part of the buffer is free, or the connection has ended. */
  async drained(): Promise<void> {
    const enough = this.#limits.outboundBytes / 4;
    let least = Number.POSITIVE_INFINITY;
    let progressAt = Date.now();
    for (let queued = this.#queued(); queued > enough && !this.#ended; queued = this.#queued()) {
      if (queued < least) {
        least = queued;
        progressAt = Date.now();
      } else if (Date.now() - progressAt > this.#limits.stalledMs) return this.#giveUp();
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }

  /** Closes the connection when all that was sent has been handed over; a client that fetches nothing is cut off. */
  close(): void {
    this.#socket.conn.close();
  }

  /** The connection has ended: whoever waits for it goes on. */
  end(): void {
    this.#ended = true;
    this.#socket.conn.off("packetCreate", this.#onPacket);
    this.#socket.conn.off("flush", this.#onFlush);
  }

  readonly #onPacket = ({ data }: { data?: unknown }): void => {
    if (typeof data !== "string" && !Buffer.isBuffer(data)) return;
    this.#unflushed += Buffer.byteLength(data);
    if (this.#queued() > this.#limits.outboundBytes) this.#giveUp();
  };

  readonly #onFlush = (): void => {
    this.#unflushed = 0;
  };

  #queued(): number {
    const { name, socket } = this.#transport;
    return this.#unflushed + (name === "websocket" ? (socket?.bufferedAmount ?? 0) : 0);
  }

  /** Ends the connection without a last word: it would wait behind what the reader doesn't take. */
  #giveUp(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onSlow();
    const { name, socket } = this.#transport;
    if (name === "websocket" && socket !== undefined) socket.terminate();
    else this.#socket.conn.close(true);
  }

  get #transport(): EngineTransport {
    return this.#socket.conn.transport;
  }
}

/** Bounds how long a closing connection waits for a polling client that has gone silent: engine.io would keep it for 30 s. */
export function boundClosing(engine: Server["engine"]): void {
  engine.on("connection", ({ transport }: { transport: EngineTransport }) => {
    if (transport.name === "polling") transport.closeTimeout = FETCH_WITHIN_MS;
  });
}

/** Delivers what a room gets to all connections that are live in it. */
export class FanOut {
  readonly #rooms = new Map<RoomName, Set<Outlet>>();

  add(room: RoomName, outlet: Outlet): void {
    const outlets = this.#rooms.get(room);
    if (outlets === undefined) this.#rooms.set(room, new Set([outlet]));
    else outlets.add(outlet);
  }

  remove(room: RoomName, outlet: Outlet): void {
    const outlets = this.#rooms.get(room);
    if (outlets?.delete(outlet) === true && outlets.size === 0) this.#rooms.delete(room);
  }

  deliver(room: RoomName, push: Push): void {
    const outlets = this.#rooms.get(room);
    if (outlets === undefined) return;
    if (push.kind !== "message") return outlets.forEach((outlet) => outlet.send(push));
    const packet = packetOf(push.message.packet);
    return outlets.forEach((outlet) => outlet.write(packet));
  }
}

/** Frames a room's packet: `4` is engine.io's message, `2` Socket.IO's event. */
function packetOf(packet: string): Packet {
  const text = `2${packet}`;
  return { text, options: { compress: false, wsPreEncodedFrame: [frameOf(`4${text}`)] } };
}

const framedPushes = new WeakMap<object, Packet>();

/** Frames a push once that many get, each by itself. */
function framed(push: Push & { kind: "members" }): Packet {
  let packet = framedPushes.get(push);
  if (packet === undefined) framedPushes.set(push, (packet = packetOf(push.packet)));
  return packet;
}

/** Makes a whole, unmasked text frame (RFC 6455 §5.2), as a server sends it. */
function frameOf(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = 0x81;
  if (header === 2) frame[1] = length;
  else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, header, "utf8");
  return frame;
}
