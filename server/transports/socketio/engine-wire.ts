import type { IncomingMessage } from "node:http";
import { Socket as EngineSocket } from "engine.io";
import type { Server, Socket } from "socket.io";
import * as ws from "ws";
import type { Packet } from "./packet.ts";

// The one file that knows what is inside engine.io and ws: tried with engine.io 6.6 and ws 8.23. Where a connection looks
// different, it goes engine.io's ordinary way.

type Conn = Socket["conn"];

interface EngineTransport {
  readonly name: string;
  writable: boolean;
  readonly perMessageDeflate?: unknown;
  /** Polling only: how long a closing connection waits for its client's next request, in ms. */
  closeTimeout?: number;
  readonly socket?: EngineWebSocket;
  /** Tells engine.io that the transport takes packets again. */
  readonly _onSentLast?: (error?: Error | null) => void;
}

interface EngineSender {
  /** 0 while nothing is being compressed or read. */
  readonly _state: number;
  readonly _queue: readonly unknown[];
  readonly _bufferedBytes: number;
}

interface EngineWebSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly _socket?: NetSocket | null;
  readonly _sender?: EngineSender;
  terminate(): void;
}

interface NetSocket {
  readonly writableLength: number;
  destroy(error: Error): void;
  write(bytes: Buffer, sent?: (error?: Error | null) => void): boolean;
}

/** Where a connection of engine.io has its wire, so that all can share their listeners. */
const WIRE = Symbol("wire");

interface EngineInsides {
  [WIRE]?: EngineWire;
  readonly readyState: string;
  readonly upgrading: boolean;
  readonly writeBuffer: readonly unknown[];
  sendPacket?: (...args: unknown[]) => void;
  close?: (discard?: boolean) => void;
}

/** `readyState` of ws. */
const OPEN = 1;
const NOTHING = Buffer.alloc(0);
/** Without it Node makes an error for each write that waits, and there may be thousands. */
const TOO_SLOW = new Error("the reader took too little");
/** A closing connection waits so long for its client to fetch what there is for it, in ms. */
const FETCH_WITHIN_MS = 1_000;

/** Bounds how long a closing connection waits for a polling client that has gone silent: engine.io would keep it for 30 s. */
export function boundClosing(engine: Server["engine"]): void {
  engine.on("connection", ({ transport }: { transport: EngineTransport }) => {
    if (transport.name === "polling") transport.closeTimeout = FETCH_WITHIN_MS;
  });
}

/**
 * Lets the answer to an upgrade and engine.io's first packet leave together: they are made in one turn, and a system call is
 * a good part of what a connection costs.
 */
export function joinFirstPackets(engine: Server["engine"]): void {
  engine.on("initial_headers", (_headers: object, { socket, headers }: IncomingMessage) => {
    if (headers.upgrade === undefined) return;
    socket.cork();
    // Whatever becomes of the handshake.
    process.nextTick(() => socket.uncork());
  });
}

/** Tells whether engine.io and ws look inside as they are known here; if not, nothing may go past them. */
export function isEngineKnown(): boolean {
  const { sendPacket, close } = EngineSocket.prototype as unknown as Record<string, unknown>;
  if (typeof sendPacket !== "function" || typeof close !== "function") return false;
  try {
    const { Sender } = ws as unknown as { Sender: new (net: object) => EngineSender };
    return isIdle(new Sender({}));
  } catch {
    return false;
  }
}

/** Nothing waits in it; false too if it is not as it is known here. */
function isIdle({ _state: state, _queue: queue, _bufferedBytes: buffered }: EngineSender): boolean {
  return state === 0 && buffered === 0 && Array.isArray(queue) && queue.length === 0;
}

/** Where ready frames go past engine.io and ws. */
interface Way {
  readonly transport: EngineTransport;
  readonly socket: EngineWebSocket;
  readonly sender: EngineSender;
  readonly net: NetSocket;
  readonly onSent: (error?: Error | null) => void;
}

/** Undefined for a transport that is no WebSocket, compresses, or is not as it is known here. */
function wayThrough(transport: EngineTransport): Way | undefined {
  const { name, perMessageDeflate, socket, _onSentLast: onSent } = transport;
  // Off is false, and null before it is said.
  const compresses = perMessageDeflate !== false && perMessageDeflate !== null;
  const { _sender: sender, _socket: net } = socket ?? {};
  if (name !== "websocket" || compresses || socket === undefined || onSent === undefined) return undefined;
  if (sender === undefined || net === undefined || net === null) return undefined;
  return { transport, socket, sender, net, onSent };
}

/** Whose connection it is; both are called often. */
export interface WireOwner {
  /** Something is about to leave, or the connection to close; only once it has asked to `intercept`. */
  beforePacket(): void;
  /** Something may wait: for each packet that engine.io takes, whoever sent it. */
  onPacket(): void;
}

/** One connection of engine.io, with a way past it for frames that are ready. */
export class EngineWire {
  readonly #conn: Conn;
  readonly #insides: EngineInsides;
  readonly owner: WireOwner;
  /** Bytes that engine.io has not handed to its transport yet. */
  #unflushed = 0;
  /** Looked up once for each transport: it is as much work as the rest of a write that is not the system's. */
  #way: Way | undefined;

  constructor(conn: Conn, owner: WireOwner) {
    this.#conn = conn;
    this.#insides = conn as unknown as EngineInsides;
    this.owner = owner;
    this.#insides[WIRE] = this;
    conn.on("packetCreate", countPacket);
    conn.on("flush", noteFlush);
  }

  /** Bytes that wait here for the reader to take them. */
  get queued(): number {
    const { name, socket } = this.#transport;
    return this.#unflushed + (name === "websocket" ? (socket?.bufferedAmount ?? 0) : 0);
  }

  /** Tells the owner whenever engine.io is about to take a packet or to close the connection, until the wire ends. */
  intercept(): void {
    this.#insides.sendPacket = sendAfterOthers;
    this.#insides.close = closeAfterOthers;
  }

  /** Sends a packet the ordinary way. */
  write({ text, options }: Packet): void {
    this.#conn.write(text, options);
  }

  /**
   * Hands ready frames to the network at once, if nothing is before them anywhere: then they stand where engine.io would
   * have put them, for all that it sends ends in the same queue.
   *
   * @returns false if it did not
   */
  writeDirectly(frames: Buffer): boolean {
    const { readyState, upgrading, writeBuffer } = this.#insides;
    if (readyState !== "open" || upgrading || writeBuffer?.length !== 0) return false;
    const transport = this.#transport;
    if (transport.writable !== true) return false;
    if (this.#way?.transport !== transport) this.#way = wayThrough(transport);
    if (this.#way === undefined) return false;
    const { socket, sender, net, onSent } = this.#way;
    if (socket.readyState !== OPEN || !isIdle(sender) || net.writableLength !== 0) return false;
    net.write(frames);
    if (net.writableLength === 0) return true;
    // As after a write of engine.io's own: what may be dropped is dropped, and the rest waits, until this has left.
    transport.writable = false;
    net.write(NOTHING, onSent);
    this.owner.onPacket();
    return true;
  }

  /** Closes the connection when all that was sent has been handed over. */
  close(): void {
    this.#conn.close();
  }

  /** Ends the connection without a last word: it would wait behind what the reader doesn't take. */
  cut(): void {
    const { name, socket } = this.#transport;
    if (name !== "websocket" || socket === undefined) {
      this.#conn.close(true);
      return;
    }
    const { _socket: net } = socket;
    net?.destroy(TOO_SLOW);
    socket.terminate();
  }

  /** Listens to nothing any more. */
  end(): void {
    this.#conn.off("packetCreate", countPacket);
    this.#conn.off("flush", noteFlush);
    // The own ones of this object; those of its class come to light again.
    delete this.#insides.sendPacket;
    delete this.#insides.close;
  }

  /** engine.io takes a packet. */
  count(data: unknown): void {
    if (typeof data !== "string" && !Buffer.isBuffer(data)) return;
    this.#unflushed += Buffer.byteLength(data);
    this.owner.onPacket();
  }

  /** engine.io has handed all that it has to its transport. */
  flushed(): void {
    this.#unflushed = 0;
  }

  get #transport(): EngineTransport {
    return this.#conn.transport;
  }
}

function wireOf(conn: Conn): EngineWire {
  return (conn as unknown as EngineInsides)[WIRE]!;
}

/** The methods of its class, which its own ones hide. */
function ordinary(insides: EngineInsides): EngineInsides {
  return Object.getPrototypeOf(insides) as EngineInsides;
}

// One of each for all connections: `this` is engine.io's.
function countPacket(this: Conn, { data }: { data?: unknown }): void {
  wireOf(this).count(data);
}

function noteFlush(this: Conn): void {
  wireOf(this).flushed();
}

function sendAfterOthers(this: EngineInsides, ...args: unknown[]): void {
  this[WIRE]!.owner.beforePacket();
  ordinary(this).sendPacket!.apply(this, args);
}

function closeAfterOthers(this: EngineInsides, discard?: boolean): void {
  this[WIRE]!.owner.beforePacket();
  ordinary(this).close!.call(this, discard);
}
