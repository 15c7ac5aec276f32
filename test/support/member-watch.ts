import type { Member } from "../../shared/presence.ts";
import type { JoinReply, MembersPush, MembersReply, Reply } from "../../shared/protocol.ts";
import type { StockClient } from "./nodes.ts";

/** What a stock client knows of a room's members: the reply to its join, and every push since. */
export class MemberWatch {
  readonly known = new Map<string, Member>();
  readonly pushes: MembersPush[] = [];
  /** How often each user joined and left, as it was told. */
  readonly joins = new Map<string, number>();
  readonly leaves = new Map<string, number>();
  total = 0;
  /** The last user of the reply's page. */
  #pageEnd: string | undefined;
  readonly #client: StockClient;
  readonly #room: string;

  constructor(client: StockClient, room: string) {
    this.#client = client;
    this.#room = room;
    client.socket.on("room:members", (push: MembersPush) => {
      if (push.room === room) this.#take(push);
    });
  }

  get names(): string[] {
    return [...this.known.values()].map(({ name }) => name).toSorted();
  }

  /** Joins with presence and begins with what the reply says; throws what the hub refuses. */
  join(options: object = {}): Promise<JoinReply> {
    return new Promise((resolve, reject) => {
      const request = { room: this.#room, presence: true, ...options };
      // In the turn of the reply: a push may stand right behind it.
      this.#client.socket.emit("join", request, (reply: Reply<JoinReply>) => {
        if (!reply.ok) return reject(new Error(`${reply.error.code}: ${reply.error.message}`));
        this.known.clear();
        reply.members?.forEach((member) => this.known.set(member.user, member));
        this.#pageEnd = reply.members?.at(-1)?.user;
        this.total = reply.total ?? 0;
        return resolve(reply);
      });
    });
  }

  /** Reads the pages that follow the one of the reply; nobody may leave meanwhile. */
  async readOn(): Promise<void> {
    let after = this.#pageEnd;
    for (let complete = false; !complete;) {
      const request = { room: this.#room, limit: 1_000, ...(after === undefined ? {} : { after }) };
      const page = await this.#client.ask<MembersReply>("members", request);
      if (!page.ok) throw new Error(page.error.message);
      for (const member of page.members) this.known.set(member.user, member);
      after = page.members.at(-1)?.user;
      ({ complete } = page);
    }
  }

  #take(push: MembersPush): void {
    this.pushes.push(push);
    for (const { user } of push.left) {
      this.known.delete(user);
      this.leaves.set(user, (this.leaves.get(user) ?? 0) + 1);
    }
    for (const member of push.joined) {
      if (!this.known.has(member.user)) this.joins.set(member.user, (this.joins.get(member.user) ?? 0) + 1);
      this.known.set(member.user, member);
    }
    this.total = push.total;
  }
}
