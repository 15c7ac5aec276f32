import type { Member } from "../../shared/presence.ts";
import type { MembersPush } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import { isSame, newsOf, type MemberStep } from "./member-steps.ts";
import type { MembersChange, MembersMark, PresenceStore } from "./presence-store.ts";
import type { Push, Subscriber } from "./transport.ts";

export interface RosterContext {
  readonly store: PresenceStore;
  /** Most members of one page. */
  readonly pageLimit: number;
  /** Bytes of JSON of one page or push, about. */
  readonly pageBytes: number;
}

export interface MembersPage {
  readonly members: readonly Member[];
  readonly total: number;
  /** The page reaches the last member. */
  readonly complete: boolean;
}

interface Entry {
  readonly member: Member;
  /** Bytes of its JSON. */
  readonly bytes: number;
}

/** Changes are told together with those of so long after them, in ms. */
const GATHER_MS = 200;
const RETRY_MS = { least: 100, most: 1_000 };
/** What the store has been told comes back as a change, within so long or later, in ms. */
const SEEN_MS = 500;

/**
 * The members of one room as this node knows them, for those here who want to know: a copy of the store's, which
 * follows its changes step by step, and compares itself anew where a step is missing.
 */
export class Roster {
  readonly room: RoomName;
  readonly #context: RosterContext;
  readonly #entries = new Map<string, Entry>();
  /** In their order. */
  readonly #users: string[] = [];
  /** Who is told, and how many of the gathered steps each knows already. */
  readonly #watchers = new Map<Subscriber, number>();
  /** Who waits for a user to be known. */
  readonly #awaited = new Map<string, readonly (() => void)[]>();
  #mark: MembersMark = { life: "", version: 0, total: 0 };
  #gathered: MemberStep[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Changes that come while the members are being read. */
  #held: MembersChange[] | undefined;
  #opening: Promise<void> | undefined;
  #stale = false;
  #closed = false;

  constructor(room: RoomName, context: RosterContext) {
    this.room = room;
    this.#context = context;
  }

  get mark(): MembersMark {
    return this.#mark;
  }

  /** It is reading the members. */
  get isReading(): boolean {
    return this.#held !== undefined;
  }

  /**
   * Reads the members for the first time; the room must be subscribed already.
   *
   * @throws HubError `unavailable`; may be called again then
   */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watchers.clear();
  }

  /** From now on the subscriber is told of what changes; what a page of this very turn says it knows. */
  watch(subscriber: Subscriber): void {
    this.#watchers.set(subscriber, this.#gathered.length);
  }

  /** Resolves when a user of whom the store knows already is known here too, or does not come to be soon. */
  async seen(user: string): Promise<void> {
    if (this.#entries.has(user) || this.#closed) return;
    await new Promise<void>((resolve) => {
      this.#awaited.set(user, [...(this.#awaited.get(user) ?? []), resolve]);
      setTimeout(resolve, SEEN_MS).unref();
    });
    this.#awaited.delete(user);
  }

  unwatch(subscriber: Subscriber): void {
    this.#watchers.delete(subscriber);
  }

  /** A page of the members, in the order of their users, after a user. */
  page(after = "", limit: number = this.#context.pageLimit): MembersPage {
    const members: Member[] = [];
    let bytes = 0;
    let at = after === "" ? 0 : this.#placeOf(after);
    if (this.#users[at] === after) at += 1;
    for (; at < this.#users.length && members.length < limit; at += 1) {
      const entry = this.#entries.get(this.#users[at]!)!;
      bytes += entry.bytes;
      if (members.length > 0 && bytes > this.#context.pageBytes) break;
      members.push(entry.member);
    }
    return { members, total: this.#users.length, complete: at === this.#users.length };
  }

  onChange(change: MembersChange): void {
    if (this.#closed || this.#opening === undefined) return;
    if (this.#held !== undefined) this.#held.push(change);
    else if (!this.#apply(change)) this.refresh();
  }

  /** Reads the members anew, and goes on trying; those who watch are told what that changes. */
  refresh(): void {
    if (this.#closed || this.#opening === undefined) return;
    this.#stale = true;
    if (this.#held === undefined) void this.#reread();
  }

  async #open(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
    void this.#reread();
  }

  async #reread(): Promise<void> {
    for (let ms = RETRY_MS.least; this.#stale && !this.#closed; ms = Math.min(2 * ms, RETRY_MS.most)) {
      try {
        await this.#read();
      } catch {
        // Those who may want to know why have been told by the store; it is away, and will be back.
        await new Promise((resolve) => setTimeout(resolve, ms * (0.5 + Math.random() / 2)).unref());
        this.#stale = true;
      }
    }
  }

  async #read(): Promise<void> {
    this.#held ??= [];
    this.#stale = false;
    try {
      const { mark, members } = await this.#context.store.list(this.room);
      if (this.#closed) return;
      const known = new Set(members.map(({ user }) => user));
      const gone = [...this.#users].filter((user) => !known.has(user));
      gone.forEach((user) => this.#set(user, undefined));
      members.forEach((member) => this.#set(member.user, member));
      this.#mark = mark;
      const held = this.#held;
      this.#held = undefined;
      if (!held.every((change) => this.#apply(change))) this.#stale = true;
    } catch (error) {
      this.#held = undefined;
      throw error;
    }
  }

  /** @returns false if a step is missing before this one */
  #apply(change: MembersChange): boolean {
    const { life, version } = this.#mark;
    if (change.life === life && change.version <= version) return true;
    if (change.version !== (change.life === life ? version + 1 : 1)) return false;
    // A new life begins with its first member.
    if (change.life !== life && this.#users.length > 0) return false;
    change.left.forEach(({ user }) => this.#set(user, undefined));
    change.joined.forEach((member) => this.#set(member.user, member));
    this.#mark = { life: change.life, version: change.version, total: change.total };
    return true;
  }

  #set(user: string, member: Member | undefined): void {
    const before = this.#entries.get(user)?.member;
    if (before === undefined && member === undefined) return;
    this.#awaited.get(user)?.forEach((tell) => tell());
    if (member !== undefined)
      this.#entries.set(user, { member, bytes: Buffer.byteLength(JSON.stringify(member)) + 1 });
    else this.#entries.delete(user);
    if (before === undefined) this.#users.splice(this.#placeOf(user), 0, user);
    else if (member === undefined) this.#users.splice(this.#placeOf(user), 1);
    else if (isSame(before, member)) return;
    if (this.#watchers.size === 0) return;
    this.#gathered.push({ user, before, now: member });
    this.#timer ??= setTimeout(() => this.#tell(), GATHER_MS);
  }

  /** Where a user is or would be. */
  #placeOf(user: string): number {
    let [low, high] = [0, this.#users.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#users[middle]! < user) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #tell(): void {
    this.#timer = undefined;
    const steps = this.#gathered;
    this.#gathered = [];
    // Those who came at the same step have the same to be told.
    const groups = new Map<number, readonly Push[]>();
    for (const [subscriber, known] of this.#watchers) {
      let pushes = groups.get(known);
      if (pushes === undefined) groups.set(known, (pushes = this.#pushesOf(steps.slice(known))));
      pushes.forEach((push) => subscriber.send(push));
      this.#watchers.set(subscriber, 0);
    }
  }

  /** More than one only if they would be too long. */
  #pushesOf(steps: readonly MemberStep[]): readonly Push[] {
    const { joined, left } = newsOf(steps);
    const pushes: Push[] = [];
    let part: { joined: Member[]; left: Member[] } = { joined: [], left: [] };
    let bytes = 0;
    const flush = (): void => {
      const push: MembersPush = { room: this.room, ...part, total: this.#users.length };
      pushes.push({ kind: "members", packet: `["room:members",${JSON.stringify(push)}]` });
      part = { joined: [], left: [] };
      bytes = 0;
    };
    const add = (list: "joined" | "left", member: Member): void => {
      const size = this.#entries.get(member.user)?.bytes ?? Buffer.byteLength(JSON.stringify(member));
      if (bytes > 0 && bytes + size > this.#context.pageBytes) flush();
      part[list].push(member);
      bytes += size;
    };
    left.forEach((member) => add("left", member));
    joined.forEach((member) => add("joined", member));
    if (bytes > 0) flush();
    return pushes;
  }
}
