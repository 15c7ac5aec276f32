import { errorFromBody, HubError } from "../../shared/errors.ts";
import type { From, Meta } from "../../shared/message.ts";
import { formatCursor, splitCursor, type Position } from "../../shared/position.ts";
import type {
  Gap,
  JoinReply,
  MembersPush,
  Published,
  PublishedEphemeral,
  PublishReply,
  RoomClosed,
} from "../../shared/protocol.ts";
import type { ClientStatus, Connection } from "./connection.ts";
import { defer, type Deferred } from "./deferred.ts";
import type { AnyEvents, AnyListener, EventOf, RoomMessage, RoomNotices, RoomStatus } from "./events.ts";
import { readHistory, type HistoryOptions } from "./history.ts";
import { Listeners } from "./listeners.ts";
import { Members } from "./members.ts";
import type { EphemeralOptions, KeptOptions, Outbox, PublishOptions } from "./outbox.ts";
import type { RoomOptions } from "./room-options.ts";
import { Typists } from "./typists.ts";

const SILENCE_MS = 10_000;
/** No event has this name. */
const ANY = "*";

/** One room as this client has it: keeps its position, and goes on from there after every lost connection. */
export class Room<Events extends object = AnyEvents> {
  readonly name: string;
  /** Who is in the room, if it is joined with `presence`. */
  readonly members: Members;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #options: RoomOptions;
  readonly #listeners = new Listeners();
  readonly #typists: Typists;
  #info: unknown;
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
    this.#info = options.info;
    this.members = new Members(
      (after) => connection.askUntilAnswered("members", { room: name, after }),
      (info) => this.#inform(info),
    );
    this.#typists = new Typists(
      () => outbox.publish(name, "typing", {}, { ephemeral: true, echo: false }),
      (typists) => this.#listeners.tell("room:typing", typists),
    );
    this.members.on("leave", ({ user }) => this.#typists.end(user));
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

  /** Who is typing now: until 4 s after the last that is heard of it, or a message comes, or the member leaves. */
  get typists(): readonly From[] {
    return this.#typists.all;
  }

  /** Hears what the room itself tells. */
  on<Name extends keyof RoomNotices>(notice: Name, listener: RoomNotices[Name]): this;
  /** Hears the messages of one event, in the order of the room, each once. */
  on<E extends EventOf<Events>>(event: E, listener: (data: Events[E], meta: Meta) => void): this;
  on(event: string, listener: (...args: never[]) => void): this {
    this.#listeners.add(event, listener);
    return this;
  }

  /** Takes a listener of `on` away. */
  off<Name extends keyof RoomNotices>(notice: Name, listener: RoomNotices[Name]): this;
  off<E extends EventOf<Events>>(event: E, listener: (data: Events[E], meta: Meta) => void): this;
  off(event: string, listener: (...args: never[]) => void): this {
    this.#listeners.remove(event, listener);
    return this;
  }

  /** Hears every message, in the order of the room, each once. */
  onAny(listener: AnyListener<Events>): this;
  /** The same for a listener that takes fewer arguments, or does not tell events apart. */
  onAny(listener: (event: EventOf<Events>, data: Events[EventOf<Events>], meta: Meta) => void): this;
  onAny(listener: (...args: never) => void): this {
    this.#listeners.add(ANY, listener);
    return this;
  }

  /** Takes a listener of `onAny` away. */
  offAny(listener: (...args: never) => void): this {
    this.#listeners.remove(ANY, listener);
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
      const { since } = this.#options;
      // What is still on its way from an earlier membership must not be taken for what follows.
      this.#position ??= typeof since === "string" ? splitCursor(since) : since;
      this.#become("joining");
      this.#ask();
    }
    return promise;
  }

  /** Leaves; a later join goes on where the room stood. A join that is being waited for ends with `bad_request`. */
  async leave(): Promise<void> {
    if (!this.#isWanted()) return;
    this.#stop("left", new HubError("bad_request", "the room was left before it was joined"));
    await this.#connection.ask("leave", { room: this.name }).catch((error: unknown) => {
      // Without the connection, nobody is in the room any more.
      if (this.#connection.status === "connected") throw error;
    });
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
    options: EphemeralOptions,
  ): Promise<PublishedEphemeral>;
  publish<E extends EventOf<Events>>(event: E, data: Events[E], options?: KeptOptions): Promise<Published>;
  publish(event: string, data: unknown, options: PublishOptions = {}): Promise<PublishReply> {
    return this.#outbox.publish(this.name, event, data, options);
  }

  /** Tells the others that somebody types here, at most every 3 s; without a membership it tells nobody. */
  typing(): void {
    if (this.#status === "live") this.#typists.say();
  }

  /** Reads the log: back from the newest message or `before`, newest first, or forward from `after`, oldest first. */
  history(options: HistoryOptions = {}): AsyncGenerator<RoomMessage<Events>, void, undefined> {
    const messages: AsyncGenerator = readHistory(this.#connection, this.name, options);
    return messages as AsyncGenerator<RoomMessage<Events>, void, undefined>;
  }

  /** The connection is there, gone for now, or closed, `isMeant` by the program: called by the client that owns it. */
  follow(status: ClientStatus, error: HubError | undefined, isMeant: boolean): void {
    if (!this.#isWanted()) return;
    if (status === "closed") {
      if (isMeant) return this.#stop("closed", error!);
      return this.#close({ code: error!.code, reason: error!.message });
    }
    if (this.#status === "live") this.#become("resuming");
    // Whoever heard of it may have left.
    if (this.#isWanted()) this.#ask();
  }

  /** A message or a notice of this room has come: called by the client that owns it. */
  hear(event: string, data: unknown, meta: Meta): void {
    if (!this.#isWanted()) return;
    if (event === "room:closed") return this.#close(data as RoomClosed);
    if (this.#status !== "live") this.#renew();
    // What came before the answer to the join is in that answer.
    else if (event === "room:members") this.members.change(data as MembersPush);
    if (event === "room:gap") this.#skip(data as Gap);
    else if (!event.startsWith("room:")) this.#receive(event, data, meta);
  }

  #receive(event: string, data: unknown, meta: Meta): void {
    const { epoch, offset, id, from } = meta;
    if (epoch !== undefined && offset !== undefined) {
      const at = this.#position;
      // What is on its way while a join is asked again comes again with the replay.
      if (at?.epoch === epoch && offset <= at.offset) return;
      // It has come before its turn, which no hub should do: what lies between is asked for.
      if (at !== undefined && (at.epoch !== epoch || offset > at.offset + 1))
        return this.#status === "live" ? this.follow("reconnecting", undefined, false) : undefined;
      this.#position = { epoch, offset, id };
      if (from !== undefined) this.#typists.end(from.user);
    } else if (event === "typing" && from !== undefined) this.#typists.add(from);
    this.#listeners.tell(event, data, meta);
    this.#listeners.tell(ANY, event, data, meta);
  }

  #skip(gap: Gap): void {
    const at = this.#position;
    // A join that is asked again is told again.
    if (gap.reason !== "rolled_back" && at?.epoch === gap.epoch && gap.to <= at.offset) return;
    // No message has this id, so a resume from here can't be mistaken for one that is proven.
    this.#position = { epoch: gap.epoch, offset: gap.to, id: gap.to === 0 ? "" : "gap" };
    this.#listeners.tell("room:gap", gap);
  }

  /** The hub has put this client out of the room. */
  #close({ code, reason }: Omit<RoomClosed, "room">): void {
    const isWaitedFor = this.#waiting !== undefined;
    this.#stop("closed", new HubError(code === "kicked" ? "forbidden" : code, reason));
    if (!isWaitedFor) this.#listeners.tell("room:closed", { room: this.name, code, reason });
  }

  #isWanted(): boolean {
    return this.#status !== "left" && this.#status !== "closed";
  }

  #become(status: RoomStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#listeners.tell("room:status", status);
  }

  #ask(): void {
    this.#drop();
    if (this.#connection.status !== "connected") return;
    const attempt = this.#attempt;
    const { since, rewind, presence } = this.#options;
    // What is no cursor is for the hub to refuse.
    const start = this.#position === undefined ? { since, rewind } : { since: this.#position };
    this.#renew();
    const request = { room: this.name, ...start, presence, info: this.#info };
    this.#connection.send<JoinReply>("join", request, (reply) => {
      if (attempt !== this.#attempt) return;
      clearTimeout(this.#timer);
      if (reply.ok) return this.#enter(reply);
      const { code, message, retryable, retryAfterMs = 0 } = errorFromBody(reply.error);
      if (!retryable) return this.#close({ code, reason: message });
      this.#timer = setTimeout(() => this.#ask(), retryAfterMs * (1 + Math.random()));
    });
  }

  #enter(reply: JoinReply): void {
    const at = this.#position;
    const { epoch, offset } = reply.position;
    // The hub has told all gaps before; were one untold, it would be told here.
    if (at !== undefined && (at.epoch !== epoch || at.offset < offset)) {
      const from = at.epoch === epoch ? at.offset + 1 : 1;
      this.#skip({ room: this.name, epoch, from, to: offset, reason: "lost" });
    }
    if (at?.epoch !== epoch || at.offset <= offset) this.#position = reply.position;
    this.#joined = reply;
    this.#become("live");
    this.members.enter(reply);
    this.#listeners.tell("room:joined", reply);
    this.#waiting?.resolve(reply);
    this.#waiting = undefined;
  }

  async #inform(info: unknown): Promise<void> {
    if (this.#status === "live") await this.#connection.ask("info", { room: this.name, info });
    // Not before: every further join would be refused for what the hub does not take.
    this.#info = info;
    // A join that is under way says what was known before.
    if (this.#isWanted() && this.#status !== "live") this.#ask();
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

  /** @param error what a join that is being waited for ends with */
  #stop(status: "left" | "closed", error: HubError): void {
    this.#drop();
    this.#typists.clear();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#become(status);
    waiting?.reject(error);
  }
}
