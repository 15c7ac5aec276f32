import { errorFromBody, HubError } from "../../shared/errors.ts";
import type { Meta } from "../../shared/message.ts";
import { formatCursor, parsePosition, type Position } from "../../shared/position.ts";
import type {
  Gap,
  JoinReply,
  Published,
  PublishedEphemeral,
  PublishReply,
  Rewind,
  RoomClosed,
} from "../../shared/protocol.ts";
import type { Connection } from "./connection.ts";
import { defer, type Deferred } from "./deferred.ts";
import type { AnyEvents, AnyListener, EventOf, RoomMessage, RoomNotices, RoomStatus } from "./events.ts";
import { readHistory, type HistoryOptions } from "./history.ts";
import { Listeners } from "./listeners.ts";
import type { Outbox, PublishOptions } from "./outbox.ts";

/** Where the first join of a room starts; later ones go on where the room stood. */
export interface RoomOptions {
  readonly since?: Position | string;
  /** The last so many messages, or those of the last length of time (`"5m"`). */
  readonly rewind?: Rewind;
  /** A join in which nothing arrives for so long is asked again; 10,000 ms if it is missing. */
  readonly silenceMs?: number;
}

const SILENCE_MS = 10_000;
/** No event has this name. */
const ANY = "*";

/** One room as this client has it: keeps its position, and goes on from there after every lost connection. */
export class Room<Events extends object = AnyEvents> {
  readonly name: string;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #options: RoomOptions;
  readonly #messages = new Listeners();
  readonly #notices = new Listeners();
  #status: RoomStatus = "left";
  #position: Position | undefined;
  #waiting: Deferred<JoinReply> | undefined;
  #joined: JoinReply | undefined;
  /** Tells the join that counts from those that have been given up. */
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(name: string, connection: Connection, outbox: Outbox, options: RoomOptions) {
    this.name = name;
    this.#connection = connection;
    this.#outbox = outbox;
    this.#options = options;
  }

  get status(): RoomStatus {
    return this.#status;
  }

  /** The last message that this client has: before the first join what `since` says. */
  get position(): Position | undefined {
    return this.#position;
  }

  get cursor(): string | undefined {
    return this.#position === undefined ? undefined : formatCursor(this.#position);
  }

  /** Hears what the room itself tells. */
  on<Name extends keyof RoomNotices>(notice: Name, listener: RoomNotices[Name]): this;
  /** Hears the messages of one event, in the order of the room, each once. */
  on<E extends EventOf<Events>>(event: E, listener: (data: Events[E], meta: Meta) => void): this;
  on(event: string, listener: (...args: never[]) => void): this {
    this.#listeners(event).add(event, listener);
    return this;
  }

  /** Takes a listener of `on` away. */
  off<Name extends keyof RoomNotices>(notice: Name, listener: RoomNotices[Name]): this;
  off<E extends EventOf<Events>>(event: E, listener: (data: Events[E], meta: Meta) => void): this;
  off(event: string, listener: (...args: never[]) => void): this {
    this.#listeners(event).remove(event, listener);
    return this;
  }

  /** Hears every message, in the order of the room, each once. */
  onAny(listener: AnyListener<Events>): this;
  /** The same for a listener that takes fewer arguments, or does not tell events apart. */
  onAny(listener: (event: EventOf<Events>, data: Events[EventOf<Events>], meta: Meta) => void): this;
  onAny(listener: (...args: never) => void): this {
    this.#messages.add(ANY, listener);
    return this;
  }

  /** Takes a listener of `onAny` away. */
  offAny(listener: (...args: never) => void): this {
    this.#messages.remove(ANY, listener);
    return this;
  }

  /**
   * Joins, and stays joined: after every lost connection the room goes on after the last message that was heard.
   *
   * @throws HubError why the hub refuses; passing reasons (`retryable`) are tried again until they have passed
   */
  join(): Promise<JoinReply> {
    if (this.#connection.status === "closed") return Promise.reject(this.#connection.error!);
    if (this.#status === "live") return Promise.resolve(this.#joined!);
    this.#waiting ??= defer();
    const { promise } = this.#waiting;
    if (!this.#isWanted()) {
      try {
        // What is still on its way from an earlier membership must not be taken for what follows.
        if (this.#options.since !== undefined) this.#position ??= parsePosition(this.#options.since);
      } catch (error) {
        this.#reject(error as HubError);
        return promise;
      }
      this.#become("joining");
      this.#ask();
    }
    return promise;
  }

  /** Leaves; a later join goes on where the room stood. A join that is being waited for ends with `bad_request`. */
  async leave(): Promise<void> {
    if (!this.#isWanted()) return;
    this.#stop("left");
    this.#reject(new HubError("bad_request", "the room was left before it was joined"));
    if (this.#connection.status !== "connected") return;
    try {
      await this.#connection.ask("leave", { room: this.name });
    } catch (error) {
      // Without the connection, nobody is in the room any more.
      if (this.#connection.status === "connected") throw error;
    }
  }

  /**
   * Publishes into the room, joined or not. A kept message gets its id here and is sent until it is answered, over all
   * lost connections, in order and never twice.
   *
   * @throws HubError what the hub refuses; `store_full` at once if too much waits already; `unavailable` for an ephemeral
   * message without a connection, and when the wait is given up (its text says whether the outcome is known)
   */
  publish<E extends EventOf<Events>>(
    event: E,
    data: Events[E],
    options: PublishOptions & { readonly ephemeral: true },
  ): Promise<PublishedEphemeral>;
  publish<E extends EventOf<Events>>(
    event: E,
    data: Events[E],
    options?: PublishOptions & { readonly ephemeral?: false },
  ): Promise<Published>;
  publish(event: string, data: unknown, options: PublishOptions = {}): Promise<PublishReply> {
    return this.#outbox.publish(this.name, event, data, options);
  }

  /** Reads the log: back from the newest message or `before`, newest first, or forward from `after`, oldest first. */
  history(options: HistoryOptions = {}): AsyncGenerator<RoomMessage<Events>, void, undefined> {
    const messages: AsyncGenerator<unknown, void, undefined> = readHistory(
      this.#connection,
      this.name,
      options,
    );
    return messages as AsyncGenerator<RoomMessage<Events>, void, undefined>;
  }

  /** The connection is there (again): called by the client that owns it. */
  connected(): void {
    if (this.#isWanted()) this.#ask();
  }

  /** The connection is gone and comes back: called by the client that owns it. */
  disconnected(): void {
    this.#drop();
    if (this.#status === "live") this.#become("resuming");
  }

  /** A message of this room has come: called by the client that owns it. */
  receive(event: string, data: unknown, meta: Meta): void {
    if (!this.#isWanted()) return;
    if (this.#status !== "live") this.#renew();
    const { epoch, offset, id } = meta;
    if (epoch !== undefined && offset !== undefined) {
      const at = this.#position;
      // What is on its way while a join is asked again comes again with the replay.
      if (at?.epoch === epoch && offset <= at.offset) return;
      if (at !== undefined && (at.epoch !== epoch || offset > at.offset + 1)) return this.#repair();
      this.#position = { epoch, offset, id };
    }
    this.#messages.tell(event, data, meta);
    this.#messages.tell(ANY, event, data, meta);
  }

  /** Messages are gone: called by the client that owns it. */
  skip(gap: Gap): void {
    if (!this.#isWanted()) return;
    if (this.#status !== "live") this.#renew();
    const at = this.#position;
    // A join that is asked again is told again.
    if (gap.reason !== "rolled_back" && at?.epoch === gap.epoch && gap.to <= at.offset) return;
    // No message has this id, so a resume from here can't be mistaken for one that is proven.
    this.#position = { epoch: gap.epoch, offset: gap.to, id: gap.to === 0 ? "" : "gap" };
    this.#notices.tell("room:gap", gap);
  }

  /** The hub has put this client out of the room: called by the client that owns it. */
  close({ code, reason }: Omit<RoomClosed, "room">): void {
    if (!this.#isWanted()) return;
    const isWaitedFor = this.#waiting !== undefined;
    this.#stop("closed");
    this.#reject(new HubError(code === "kicked" ? "forbidden" : code, reason));
    if (!isWaitedFor) this.#notices.tell("room:closed", { room: this.name, code, reason });
  }

  /** The program has closed the client: called by the client that owns it. */
  end(error: HubError): void {
    if (this.#isWanted()) this.#stop("closed");
    this.#reject(error);
  }

  #listeners(event: string): Listeners {
    return event.startsWith("room:") ? this.#notices : this.#messages;
  }

  #isWanted(): boolean {
    return this.#status !== "left" && this.#status !== "closed";
  }

  #become(status: RoomStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#notices.tell("room:status", status);
  }

  #ask(): void {
    this.#drop();
    if (this.#connection.status !== "connected") return;
    const attempt = this.#attempt;
    const start = this.#position === undefined ? { rewind: this.#options.rewind } : { since: this.#position };
    this.#renew();
    this.#connection.send<JoinReply>("join", { room: this.name, ...start }, (reply) => {
      if (attempt !== this.#attempt) return;
      clearTimeout(this.#timer);
      if (reply.ok) return this.#enter(reply);
      const { code, message, retryable, retryAfterMs = 0 } = errorFromBody(reply.error);
      if (!retryable) return this.close({ code, reason: message });
      this.#timer = setTimeout(() => this.#ask(), retryAfterMs * (1 + Math.random()));
    });
  }

  #enter(reply: JoinReply): void {
    const at = this.#position;
    const { epoch, offset } = reply.position;
    // The hub has told all gaps before; were one untold, it would be told here.
    if (at !== undefined && (at.epoch !== epoch || at.offset < offset)) {
      const from = at.epoch === epoch ? at.offset + 1 : 1;
      this.skip({ room: this.name, epoch, from, to: offset, reason: "lost" });
    }
    if (at?.epoch !== epoch || at.offset <= offset) this.#position = reply.position;
    this.#joined = reply;
    this.#become("live");
    this.#notices.tell("room:joined", reply);
    this.#waiting?.resolve(reply);
    this.#waiting = undefined;
  }

  /** A message has come before its turn, which no hub should do: what lies between is asked for. */
  #repair(): void {
    if (this.#status !== "live") return;
    this.#become("resuming");
    this.#ask();
  }

  #renew(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), this.#options.silenceMs ?? SILENCE_MS);
  }

  /** Gives up the join that is under way. */
  #drop(): void {
    clearTimeout(this.#timer);
    this.#attempt += 1;
  }

  #stop(status: "left" | "closed"): void {
    this.#drop();
    this.#become(status);
  }

  #reject(error: HubError): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
