import type { Socket } from "socket.io-client";
import type { HubError } from "../../shared/errors.ts";
import type { Meta } from "../../shared/message.ts";
import { Connection, type ClientStatus } from "./connection.ts";
import type { AnyEvents } from "./events.ts";
import { keptGuest } from "./guest.ts";
import { Listeners } from "./listeners.ts";
import { Outbox, type QueueLimits } from "./outbox.ts";
import { Room } from "./room.ts";
import type { RoomOptions } from "./room-options.ts";

export interface ConnectOptions {
  /** The name under which this client speaks. */
  readonly username?: string;
  /**
   * Makes this client the same user as another one with the same text: 8-64 of A-Z a-z 0-9 _ -, known to nobody else.
   * Without it, a browser is one user, in all its tabs and on every visit, and any other client one of its own.
   */
  readonly guest?: string;
  /** Proves who this is; a function is asked on every reconnect. */
  readonly token?: string | (() => string | Promise<string>);
  /** What may wait for the hub's answer; 1,000 messages and 1 MiB if it is missing. One more is refused. */
  readonly queue?: Partial<QueueLimits>;
}

/** What the client tells of its connection. */
export interface ClientNotices {
  /** `error` is why there is no connection. */
  readonly status: (status: ClientStatus, error: HubError | undefined) => void;
  /** A connection was lost, or an attempt at one failed; after one that is not `retryable` the client is closed. */
  readonly error: (error: HubError) => void;
}

const QUEUE: QueueLimits = { messages: 1_000, bytes: 1_048_576 };

/** A connection to the hub; it comes back by itself, and all joined rooms with it. */
export class Client<Events extends object = AnyEvents> {
  readonly #rooms = new Map<string, Room>();
  readonly #listeners = new Listeners();
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  #isEnded = false;

  constructor(url: string, { username, token, guest = keptGuest(), queue }: ConnectOptions) {
    const identify = async (): Promise<object> => ({
      username,
      guest,
      token: typeof token === "function" ? await token() : token,
    });
    this.#connection = new Connection(url, identify, {
      onStatus: (status, error) => this.#onStatus(status, error),
      onError: (error) => this.#listeners.tell("error", error),
    });
    this.#outbox = new Outbox(this.#connection, { ...QUEUE, ...queue });
    this.socket.onAny((event: string, data: unknown, meta: Meta | undefined) => {
      const about = (event.startsWith("room:") ? data : meta) as Partial<Meta> | null | undefined;
      this.#rooms.get(about?.room ?? "")?.hear(event, data, meta!);
    });
  }

  /** The stock socket.io-client underneath, for events that are none of the hub's. */
  get socket(): Socket {
    return this.#connection.socket;
  }

  get status(): ClientStatus {
    return this.#connection.status;
  }

  /** Why there is no connection; undefined while there is one. */
  get error(): HubError | undefined {
    return this.#connection.error;
  }

  on<Name extends keyof ClientNotices>(notice: Name, listener: ClientNotices[Name]): this {
    this.#listeners.add(notice, listener);
    return this;
  }

  /** Takes a listener of `on` away. */
  off<Name extends keyof ClientNotices>(notice: Name, listener: ClientNotices[Name]): this {
    this.#listeners.remove(notice, listener);
    return this;
  }

  /** A room, not joined yet; the same name gives the same room. It may have a map of events of its own. */
  room<RoomEvents extends object = Events>(name: string, options: RoomOptions = {}): Room<RoomEvents> {
    // As the hub writes it in every message.
    const key = name.normalize("NFC");
    const room = this.#rooms.get(key) ?? new Room(key, this.#connection, this.#outbox, options);
    this.#rooms.set(key, room);
    return room as unknown as Room<RoomEvents>;
  }

  /** Ends the connection; joins and messages that were never sent are rejected with `bad_request`. */
  close(): void {
    this.#isEnded = true;
    this.#connection.close();
  }

  #onStatus(status: ClientStatus, error: HubError | undefined): void {
    this.#rooms.forEach((room) => room.follow(status, error, this.#isEnded));
    this.#listeners.tell("status", status, error);
  }
}
