import type { HubError } from "../../../shared/errors.ts";
import type { From, Message, Meta } from "../../../shared/message.ts";
import { randomId } from "../../../shared/message-id.ts";
import type { Gap } from "../../../shared/protocol.ts";
import { gapText } from "./gap-text.ts";
import { Listeners } from "./listeners.ts";
import { movesText } from "./people-text.ts";

/** What has become of a message of one's own. */
export type SendState = "sending" | "sent" | "failed";

/** One entry of a chat. */
export type ChatEntry =
  | { readonly kind: "gap"; readonly id: string; readonly time: number; readonly text: string }
  | Moves
  | {
      readonly kind: "message";
      readonly id: string;
      readonly time: number;
      readonly text: string;
      readonly from: string;
      readonly user: string;
      readonly isOwn: boolean;
      readonly state: SendState;
      /** Why it failed. */
      readonly problem?: string;
      readonly place?: { readonly epoch: string; readonly offset: number; readonly id: string } | undefined;
    };

/** Some have come and gone, one after the other without a word in between. */
interface Moves {
  readonly kind: "moves";
  readonly id: string;
  readonly time: number;
  readonly text: string;
  /** Names by users. */
  readonly came: ReadonlyMap<string, string>;
  readonly gone: ReadonlyMap<string, string>;
}

type ChatMessage = Extract<ChatEntry, { kind: "message" }>;

/** Gives a message to the hub; the same id is the same message, however often. */
export type Send = (id: string, text: string) => Promise<unknown>;

/** Entries that the page holds. */
const MOST_ENTRIES = 3_000;
/** Those who come and go within so long of each other are in one entry, in ms. */
const TOGETHER_MS = 5 * 60_000;

/** A chat as a page shows it: what the room has, in its order, then what is on its way there. */
export class ChatModel {
  readonly #listeners = new Listeners();
  readonly subscribe = this.#listeners.subscribe;
  readonly #send: Send;
  readonly #name: string;
  readonly #most: number;
  /** Ids of messages that were sent from here; whatever the name, they are one's own. */
  readonly #ownIds = new Set<string>();
  #ownUser: string | undefined;
  #oldest: ChatMessage["place"];
  #entries: ChatEntry[] = [];
  #outgoing: ChatMessage[] = [];
  #complete = false;
  #joined = false;
  /** Of entries that are no messages. */
  #count = 0;

  /** @param ownUser who this browser was when it last knew */
  constructor(name: string, send: Send, ownUser?: string, most: number = MOST_ENTRIES) {
    this.#name = name;
    this.#send = send;
    this.#ownUser = ownUser;
    this.#most = most;
  }

  /** Who this browser is, once it is known. */
  get ownUser(): string | undefined {
    return this.#ownUser;
  }

  get entries(): readonly ChatEntry[] {
    return [...this.#entries, ...this.#outgoing];
  }

  /** The texts that could not be sent. */
  get unsent(): readonly string[] {
    return this.#outgoing.filter(({ state }) => state === "failed").map(({ text }) => text);
  }

  get complete(): boolean {
    return this.#complete;
  }

  /** Where older entries are to be fetched before; undefined if there are none. */
  get olderThan(): ChatMessage["place"] {
    return this.#joined && !this.#complete ? this.#oldest : undefined;
  }

  /** Takes a message of the room; tells whether it is somebody else's. */
  receive(event: string, data: unknown, meta: Meta): boolean {
    this.#oldest ??= placeOf(meta);
    const entry = this.#entryOf(event, data, meta);
    if (entry === undefined) return false;
    if (entry.isOwn && meta.from !== undefined && this.#ownIds.has(meta.id)) this.#learn(meta.from);
    this.#outgoing = this.#outgoing.filter(({ id }) => id !== meta.id);
    this.#entries.push(entry);
    if (this.#entries.length > this.#most) {
      this.#entries.splice(0, this.#entries.length - this.#most);
      const first = this.#entries.find((one) => one.kind === "message");
      this.#oldest = first?.place ?? this.#oldest;
      this.#complete = false;
    }
    this.#listeners.tell();
    return !entry.isOwn;
  }

  gap(gap: Gap, time: number): void {
    this.#count += 1;
    this.#entries.push({ kind: "gap", id: `gap ${this.#count}`, time, text: gapText(gap) });
    this.#listeners.tell();
  }

  /** Some have come and gone; who comes back at once has never gone. */
  moves(joined: readonly From[], left: readonly From[], time: number): void {
    const isOther = (who: From): boolean => !this.isOwn(who);
    const last = this.#entries.at(-1);
    const before = last?.kind === "moves" && time - last.time < TOGETHER_MS ? last : undefined;
    const came = new Map(before?.came);
    const gone = new Map(before?.gone);
    for (const { user, name } of joined.filter(isOther)) if (!gone.delete(user)) came.set(user, name);
    for (const { user, name } of left.filter(isOther)) if (!came.delete(user)) gone.set(user, name);
    if (before === undefined) this.#count += 1;
    else this.#entries.pop();
    if (came.size + gone.size > 0) {
      const text = movesText([...came.values()], [...gone.values()]);
      const id = before?.id ?? `moves ${this.#count}`;
      this.#entries.push({ kind: "moves", id, time, text, came, gone });
    }
    this.#listeners.tell();
  }

  /** Tells whether somebody is who sits here; before the first own message by the name, which nobody else has. */
  isOwn({ user, name }: From): boolean {
    return this.#ownUser === undefined ? name === this.#name : user === this.#ownUser;
  }

  /** Adds a page of history before the oldest entry. */
  prepend(messages: readonly Message[], complete: boolean): void {
    const older = messages
      .map((message) => this.#entryOf(message.event, message.data, message))
      .filter((entry) => entry !== undefined);
    this.#entries = [...older, ...this.#entries];
    if (messages[0] !== undefined) this.#oldest = placeOf(messages[0]);
    this.#complete ||= complete || messages.length === 0;
    this.#listeners.tell();
  }

  /** What the room had to begin with is here: all of it, or its newest part. */
  joined(complete: boolean): void {
    this.#joined = true;
    this.#complete ||= complete;
    this.#listeners.tell();
  }

  /** Says that there is nothing older. */
  end(): void {
    this.#complete = true;
    this.#listeners.tell();
  }

  /** Sends a new message. */
  async say(text: string, time: number): Promise<void> {
    const id = randomId();
    this.#ownIds.add(id);
    const own = { from: this.#name, user: this.#ownUser ?? "", isOwn: true, state: "sending" } as const;
    this.#outgoing.push({ kind: "message", id, time, text, ...own });
    await this.#deliver(id, text);
  }

  /** Sends a message again that failed, as the same message. */
  async retry(id: string): Promise<void> {
    const failed = this.#outgoing.find((entry) => entry.id === id && entry.state === "failed");
    if (failed !== undefined) await this.#deliver(id, failed.text);
  }

  /** Sends again what was not answered when the connection broke. */
  async retryUnanswered(): Promise<void> {
    const unanswered = this.#outgoing.filter(({ problem }) => problem === UNANSWERED);
    await Promise.all(unanswered.map(({ id }) => this.retry(id)));
  }

  async #deliver(id: string, text: string): Promise<void> {
    this.#mark(id, "sending");
    try {
      await this.#send(id, text);
      this.#mark(id, "sent");
    } catch (error) {
      this.#mark(id, "failed", problemOf(error as HubError));
    }
  }

  #mark(id: string, state: SendState, problem?: string): void {
    this.#outgoing = this.#outgoing.map((entry) => {
      if (entry.id !== id) return entry;
      const { problem: _before, ...rest } = entry;
      return { ...rest, state, ...(problem !== undefined && { problem }) };
    });
    this.#listeners.tell();
  }

  /** From an own message one learns who one is, and so which older ones are one's own. */
  #learn({ user }: From): void {
    if (this.#ownUser === user) return;
    this.#ownUser = user;
    this.#entries = this.#entries.map((entry) =>
      entry.kind === "message" && entry.user === user ? { ...entry, isOwn: true } : entry,
    );
  }

  #entryOf(event: string, data: unknown, meta: Meta): ChatMessage | undefined {
    const text = event === "message" ? (data as { readonly text?: unknown } | null)?.text : undefined;
    const place = placeOf(meta);
    if (typeof text !== "string" || place === undefined) return undefined;
    const { id, time, from } = meta;
    const isOwn = this.#ownIds.has(id) || (from !== undefined && from.user === this.#ownUser);
    const who = { from: from?.name ?? "system", user: from?.user ?? "", isOwn };
    return { kind: "message", id, time, text, ...who, state: "sent", place };
  }
}

function placeOf({ epoch, offset, id }: Meta): ChatMessage["place"] {
  return epoch === undefined || offset === undefined ? undefined : { epoch, offset, id };
}

const UNANSWERED = "Not confirmed: the connection was lost";

function problemOf({ code, message, retryable, retryAfterMs }: HubError): string {
  if (code === "unavailable") return UNANSWERED;
  if (code === "rate_limited") {
    const seconds = Math.max(1, Math.ceil((retryAfterMs ?? 0) / 1_000));
    return `Not sent: too many messages at once. Try again in ${seconds} s`;
  }
  return `Not sent: ${retryable ? "the hub can't take it now" : message}`;
}
