import { toHubError, type HubError } from "../../shared/errors.ts";
import type { Meta } from "../../shared/message.ts";
import { formatCursor, type Position } from "../../shared/position.ts";
import type { Gap, JoinReply, PublishReply, Rewind, RoomClosed } from "../../shared/protocol.ts";
import type { Requests } from "./requests.ts";

/** Where the first join of a room starts; later ones go on where the room stood. */
export interface RoomOptions {
  readonly since?: Position | string;
  /** The last so many messages, or those of the last length of time (`"5m"`). */
  readonly rewind?: Rewind;
}

export interface PublishOptions {
  readonly id?: string;
  readonly ephemeral?: boolean;
}

/** Hears every message of a room. */
export type AnyListener = (event: string, data: unknown, meta: Meta) => void;

/** What a room tells beside its messages. */
interface Notices {
  "room:joined": (reply: JoinReply) => void;
  "room:gap": (gap: Gap) => void;
  "room:closed": (closed: RoomClosed) => void;
}

/** A rejoin that fails for a passing reason is tried again after so long at least, in ms. */
const REJOIN_MS = 500;

/** One room as this client has it: keeps its position, and goes on from there after every lost connection. */
export class Room {
  readonly name: string;
  readonly #requests: Requests;
  readonly #options: RoomOptions;
  readonly #listeners = new Set<AnyListener>();
  readonly #notices: { [Name in keyof Notices]: Set<Notices[Name]> } = {
    "room:joined": new Set(),
    "room:gap": new Set(),
    "room:closed": new Set(),
  };
  #position: Position | undefined;
  #wanted = false;
  #joining: Promise<JoinReply> | undefined;

  constructor(name: string, requests: Requests, options: RoomOptions) {
    this.name = name;
    this.#requests = requests;
    this.#options = options;
  }

  /** The last message that this client has; undefined before the first join. */
  get position(): Position | undefined {
    return this.#position;
  }

  get cursor(): string | undefined {
    return this.#position === undefined ? undefined : formatCursor(this.#position);
  }

  /** Hears what the room itself tells: joined (again), messages that are gone, and that this client is out of the room. */
  on<Name extends keyof Notices>(notice: Name, listener: Notices[Name]): this;
  /** Hears the messages of one event. */
  on(event: string, listener: (data: unknown, meta: Meta) => void): this;
  on(event: string, listener: (...args: never[]) => void): this {
    if (event in this.#notices) {
      (this.#notices[event as keyof Notices] as Set<unknown>).add(listener);
      return this;
    }
    const hear = listener as (data: unknown, meta: Meta) => void;
    return this.onAny((name, data, meta) => name === event && hear(data, meta));
  }

  /** Hears every message, in the order of the room, each once. */
  onAny(listener: AnyListener): this {
    this.#listeners.add(listener);
    return this;
  }

  /**
   * Joins, and stays joined: after every lost connection the room goes on after the last message that was heard.
   *
   * @throws HubError why the hub refuses; passing reasons (`retryable`) are tried again until they have passed
   */
  join(): Promise<JoinReply> {
    this.#wanted = true;
    this.#joining ??= this.#join().finally(() => {
      this.#joining = undefined;
    });
    return this.#joining;
  }

  async leave(): Promise<void> {
    this.#wanted = false;
    await this.#requests.ask("leave", { room: this.name });
  }

  /** @throws HubError what the hub answers */
  publish(event: string, data: unknown, options: PublishOptions = {}): Promise<PublishReply> {
    return this.#requests.ask("publish", { room: this.name, event, data, ...options });
  }

  /** The connection is there again: called by the client that owns it. */
  resume(): void {
    if (!this.#wanted) return;
    this.join().catch((error: unknown) => {
      const { code, message } = toHubError(error);
      this.close({ room: this.name, code, reason: message });
    });
  }

  /** A message of this room has come: called by the client that owns it. */
  receive(event: string, data: unknown, meta: Meta): void {
    const { epoch, offset, id } = meta;
    if (epoch !== undefined && offset !== undefined) {
      // What is on its way while a connection breaks may come again with the replay.
      if (this.#position?.epoch === epoch && offset <= this.#position.offset) return;
      this.#position = { epoch, offset, id };
    }
    this.#listeners.forEach((hear) => hear(event, data, meta));
  }

  /** Messages are gone: called by the client that owns it. */
  skip(gap: Gap): void {
    // No message has this id, so a resume from here can't be mistaken for one that is proven.
    this.#position = { epoch: gap.epoch, offset: gap.to, id: gap.to === 0 ? "" : "gap" };
    this.#notices["room:gap"].forEach((tell) => tell(gap));
  }

  /** This client is out of the room: called by the client that owns it. */
  close(closed: RoomClosed): void {
    this.#wanted = false;
    this.#notices["room:closed"].forEach((tell) => tell(closed));
  }

  #start(): RoomOptions {
    return this.#position === undefined ? this.#options : { since: this.#position };
  }

  async #join(): Promise<JoinReply> {
    for (;;) {
      try {
        const reply = await this.#requests.ask<JoinReply>("join", { room: this.name, ...this.#start() });
        this.#position = reply.position;
        this.#notices["room:joined"].forEach((tell) => tell(reply));
        return reply;
      } catch (error) {
        const refused = error as HubError;
        if (!refused.retryable || !this.#wanted || !this.#requests.active) {
          this.#wanted = false;
          throw refused;
        }
        // While the connection is away the request waits in the socket's buffer, so this can't spin.
        await new Promise((resolve) => setTimeout(resolve, Math.max(REJOIN_MS, refused.retryAfterMs ?? 0)));
      }
    }
  }
}
