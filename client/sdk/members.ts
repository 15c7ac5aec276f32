import type { Member } from "../../shared/presence.ts";
import type { JoinReply, MembersPush, MembersReply } from "../../shared/protocol.ts";
import { Listeners } from "./listeners.ts";

/** What is told of a member: it has come, it has gone, or it has another name or info now. */
export type MemberNotice = "join" | "leave" | "update";

/** Comes after every user. */
const END = "\uffff";

/**
 * Who is in a room that was joined with `presence`, as far as it is known: of a large room the first page (1,000 as the
 * hub comes), whoever changed since, and after `load()` everyone. In the order in which they came. After a lost
 * connection, and after leaving, it stays as it was last.
 *
 * What changes is told once, what is different after a return included. Nothing is told of who was there before: read
 * them when `join()` resolves or `room:joined` comes.
 */
export class Members implements Iterable<Member> {
  readonly #page: (after: string | undefined) => Promise<Page>;
  readonly #inform: (info: unknown) => Promise<void>;
  readonly #listeners = new Listeners();
  readonly #known = new Map<string, Member>();
  #total = 0;
  /** In the order of users: up to here everyone who is there now is known. */
  #last = "";
  /** Up to here everyone was known once, so who turns up there has come since. */
  #everKnown = "";
  /** Who has changed while a page is on its way. */
  #changed = new Set<string>();
  #loading: Promise<void> | undefined;

  /** @param page fetches those after a user; @param inform tells the hub of another info */
  constructor(page: (after?: string) => Promise<Page>, inform: (info: unknown) => Promise<void>) {
    this.#page = page;
    this.#inform = inform;
  }

  /** How many are known. */
  get size(): number {
    return this.#known.size;
  }

  /** How many are in the room, on all nodes, known or not. */
  get total(): number {
    return this.#total;
  }

  /** All of them are known. */
  get complete(): boolean {
    return this.#last === END;
  }

  get(user: string): Member | undefined {
    return this.#known.get(user);
  }

  [Symbol.iterator](): Iterator<Member> {
    const byTime = (a: Member, b: Member): number => a.joinedAt - b.joinedAt || (a.user < b.user ? -1 : 1);
    return [...this.#known.values()].toSorted(byTime).values();
  }

  /** Hears of changes; `leave` has the member as it was last. */
  on(notice: MemberNotice, listener: (member: Member) => void): this {
    this.#listeners.add(notice, listener);
    return this;
  }

  /** Takes a listener of `on` away. */
  off(notice: MemberNotice, listener: (member: Member) => void): this {
    this.#listeners.remove(notice, listener);
    return this;
  }

  /**
   * Fetches whoever is not known yet, a page at a time; nothing is told of who was there before.
   *
   * @throws HubError what the hub refuses; passing reasons are waited out
   */
  load(): Promise<void> {
    this.#loading ??= this.#load().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  /**
   * Changes what others see of this member beside its name, now and in every further join.
   *
   * @param info any JSON up to 1 KiB
   * @throws HubError what the hub refuses, or `unavailable`: then every further join says what was said before
   */
  setInfo(info: unknown): Promise<void> {
    return this.#inform(info);
  }

  /** Who is there at the join: called by the room that owns it. */
  enter({ members, total = 0 }: JoinReply): void {
    if (members === undefined) return;
    this.#last = "";
    this.#changed = new Set();
    this.#take({ members, total, complete: members.length === total });
  }

  /** Who has come and gone: called by the room that owns it. */
  change({ joined, left, total }: MembersPush): void {
    this.#total = total;
    if (this.#loading !== undefined) [...left, ...joined].forEach(({ user }) => this.#changed.add(user));
    left.forEach((member) => this.#remove(member));
    joined.forEach((member) => this.#put(member));
  }

  async #load(): Promise<void> {
    while (!this.complete) {
      const changed = new Set<string>();
      this.#changed = changed;
      const page = await this.#page(this.#last || undefined);
      // After a return it goes on where the members of the join end.
      if (changed === this.#changed) this.#take(page);
    }
  }

  /** Takes who is there after `#last`: up to the page's own last user, or at all, there is nobody else. */
  #take({ members, total, complete }: Page): void {
    const from = this.#last;
    const to = complete ? END : (members.at(-1)?.user ?? from);
    // What has changed while the page was on its way is newer.
    const changed = this.#changed;
    this.#changed = new Set();
    this.#total = total;
    this.#last = to;
    const gone = new Map(this.#known);
    for (const member of members) {
      gone.delete(member.user);
      if (!changed.has(member.user)) this.#put(member, member.user <= this.#everKnown);
    }
    gone.forEach((member, user) => {
      if (user > from && user <= to && !changed.has(user)) this.#remove(member);
    });
    if (to > this.#everKnown) this.#everKnown = to;
  }

  #put(member: Member, isNews = true): void {
    const before = this.#known.get(member.user);
    this.#known.set(member.user, member);
    if (before !== undefined ? looksOf(before) !== looksOf(member) : isNews)
      this.#listeners.tell(before ? "update" : "join", member);
  }

  #remove(member: Member): void {
    if (this.#known.delete(member.user)) this.#listeners.tell("leave", member);
  }
}

type Page = Pick<MembersReply, "members" | "total" | "complete">;

/** What others see of a member. */
function looksOf({ name, info }: Member): string {
  return JSON.stringify([name, info]);
}
