import { io, type Socket } from "socket.io-client";
import type { Meta } from "../../shared/message.ts";
import type { Position } from "../../shared/position.ts";
import type { Gap, JoinReply, Reply, RoomClosed } from "../../shared/protocol.ts";
import { failure, outcomeOf, type Result } from "../http-sending.ts";
import { hashOf } from "../hash.ts";
import type { Subscribing } from "../oracle/observations.ts";
import type { Outcome, Outgoing } from "../publishing.ts";
import { oneOf } from "../random.ts";
import { ChaosClient, type ClientOptions } from "./chaos-client.ts";

const CONNECT_MS = 4_000;
const ANSWER_MS = 5_000;
const AGAIN_MS = 300;

export interface StockClientOptions extends ClientOptions {
  readonly transports: readonly ("websocket" | "polling")[];
  /** Names its rooms in the URL and its positions in the handshake, and asks for nothing else. */
  readonly inUrl: boolean;
}

/** A stock socket.io-client that keeps its positions itself, as PROTOCOL.md tells it to. */
export class StockClient extends ChaosClient {
  readonly #transports: readonly ("websocket" | "polling")[];
  readonly #inUrl: boolean;
  readonly #positions = new Map<string, Position>();
  /** Rooms in which a join or a leave waits for its answer. */
  readonly #asking = new Set<string>();
  readonly #inside = new Set<string>();
  #socket: Socket | undefined;

  constructor({ transports, inUrl, ...options }: StockClientOptions) {
    super(options);
    this.#transports = transports;
    this.#inUrl = inUrl;
  }

  protected override canLeaveRooms(): boolean {
    return !this.#inUrl;
  }

  /** Publishes over its connection, one message after the other. */
  readonly send = async (messages: readonly Outgoing[]): Promise<readonly Outcome[]> => {
    const outcomes: Outcome[] = [];
    for (const message of messages) outcomes.push(await this.#publish(message));
    return outcomes;
  };

  protected isConnected(): boolean {
    return this.#socket?.connected === true;
  }

  protected open(url: string): void {
    const { rooms } = this.options;
    const since = Object.fromEntries(this.#positions);
    const socket = io(url, {
      transports: [...this.#transports],
      forceNew: true,
      reconnection: false,
      timeout: CONNECT_MS,
      ...(this.#inUrl ? { query: { room: rooms.join(","), rewind: 5 }, auth: { since } } : {}),
    });
    this.#socket = socket;
    this.#asking.clear();
    this.#inside.clear();
    socket.on("connect", () => {
      if (this.#inUrl) rooms.forEach((room) => this.#began(room, since[room], "rewind"));
      else this.wanted.forEach((room) => this.enter(room));
    });
    socket.on("connect_error", () => {
      socket.disconnect();
      this.lost();
    });
    socket.on("disconnect", () => {
      this.#record({ kind: "lost" });
      this.lost();
    });
    socket.on("room:joined", (reply: JoinReply) => this.#joined(reply));
    socket.on("room:closed", ({ room }: RoomClosed) => this.#record({ kind: "refused", room }));
    socket.onAny((event: string, data: unknown, meta?: Meta) => {
      if (event === "room:gap") this.#record({ kind: "gap", gap: data as Gap });
      else if (meta?.offset !== undefined && meta.epoch !== undefined) this.#message(event, data, meta);
    });
  }

  protected close(): void {
    this.#socket?.disconnect();
  }

  protected enter(room: string): void {
    const socket = this.#socket;
    if (socket?.connected !== true || this.#asking.has(room) || this.#inside.has(room)) return;
    this.#asking.add(room);
    const since = this.#positions.get(room);
    const start = since ?? oneOf(this.options.random, ["rewind", "now"] as const);
    this.#began(room, since, start === "rewind" ? "rewind" : "now");
    const request = since === undefined ? (start === "rewind" ? { rewind: 20 } : {}) : { since };
    socket.emit("join", { room, ...request }, (reply: Reply<JoinReply>) => {
      if (socket !== this.#socket || !socket.connected) return;
      this.#asking.delete(room);
      if (reply.ok) {
        this.#inside.add(room);
        this.#joined(reply);
        if (!this.wanted.has(room)) this.exit(room);
        return;
      }
      this.#record({ kind: "refused", room });
      setTimeout(() => this.wanted.has(room) && this.enter(room), reply.error.retryAfterMs ?? AGAIN_MS);
    });
  }

  protected exit(room: string): void {
    const socket = this.#socket;
    if (socket?.connected !== true || this.#asking.has(room) || !this.#inside.has(room)) return;
    this.#asking.add(room);
    this.#record({ kind: "leave", room });
    socket.emit("leave", { room }, () => {
      if (socket !== this.#socket || !socket.connected) return;
      this.#asking.delete(room);
      this.#inside.delete(room);
      this.#record({ kind: "left", room });
      if (this.wanted.has(room)) this.enter(room);
    });
  }

  #message(event: string, data: unknown, { room, epoch, offset, id }: Meta): void {
    const place = { epoch: epoch!, offset: offset!, id };
    this.#record({ kind: "message", room, ...place, hash: hashOf(event, data) });
    this.#positions.set(room, place);
  }

  #joined({ room, position, recovered, reason, firstOffset }: JoinReply): void {
    const reply = {
      position,
      ...(recovered === undefined ? {} : { recovered }),
      ...(reason === undefined ? {} : { reason }),
      ...(firstOffset === undefined ? {} : { firstOffset }),
    };
    this.#record({ kind: "joined", room, reply });
    this.#positions.set(room, position);
  }

  #began(room: string, since: Position | undefined, otherwise: "rewind" | "now"): void {
    if (since === undefined) this.#record({ kind: "join", room, start: otherwise });
    else this.#record({ kind: "join", room, start: "since", since });
  }

  #record(seen: Unsigned): void {
    this.options.record({ at: Date.now(), client: this.name, ...seen });
  }

  async #publish({ room, event, data, id }: Outgoing): Promise<Outcome> {
    const socket = this.#socket;
    if (socket?.connected !== true) return failure("unavailable");
    const answer = socket.timeout(ANSWER_MS).emitWithAck("publish", { room, event, data, id });
    try {
      return outcomeOf((await answer) as Result);
    } catch {
      return failure("unavailable");
    }
  }
}

type WithoutSigns<T> = T extends unknown ? Omit<T, "at" | "client"> : never;
/** What a client sees, before it says when and who. */
export type Unsigned = WithoutSigns<Subscribing>;
