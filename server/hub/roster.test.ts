import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import fc from "fast-check";
import type { Member } from "../../shared/presence.ts";
import type { MembersPush } from "../../shared/protocol.ts";
import { parseRoomName } from "../../shared/room-name.ts";
import type { MembersChange, MembersList, PresenceStore } from "./presence-store.ts";
import { Roster } from "./roster.ts";
import type { StoredMessage } from "./broker.ts";
import type { Push, Subscriber } from "./transport.ts";

const ROOM = parseRoomName("chat:lobby");
const GATHERED_MS = 250;

/** The members as the store has them, and what it announces. */
class Members {
  readonly there = new Map<string, Member>();
  version = 0;
  life = "one";
  /** What `list` waits for. */
  gate: Promise<void> = Promise.resolve();

  async list(): Promise<MembersList> {
    const { life, version } = this;
    const members = [...this.there.values()];
    await this.gate;
    return { mark: { life, version, total: members.length }, members };
  }

  change(user: string, name: string | undefined): MembersChange {
    const before = this.there.get(user);
    const now = name === undefined ? undefined : { user, name, joinedAt: before?.joinedAt ?? 1 };
    if (now === undefined) this.there.delete(user);
    else this.there.set(user, now);
    this.version += 1;
    return {
      life: this.life,
      version: this.version,
      total: this.there.size,
      joined: now === undefined ? [] : [now],
      left: now === undefined && before !== undefined ? [before] : [],
    };
  }
}

/** Keeps what a client would know: the first page, and all that it was told since. */
class Watcher implements Subscriber {
  readonly session = { id: "watcher" };
  readonly known: Map<string, Member>;
  readonly pushes: MembersPush[] = [];

  constructor(page: readonly Member[] = []) {
    this.known = new Map(page.map((member) => [member.user, member]));
  }

  send(push: Push): void {
    if (push.kind !== "members") throw new Error(`a roster sends no ${push.kind}`);
    const [, change] = JSON.parse(push.packet) as [string, MembersPush];
    this.pushes.push(change);
    for (const member of change.left) {
      if (!this.known.delete(member.user)) throw new Error(`${member.user} left, and was not there`);
    }
    for (const member of change.joined) {
      if (JSON.stringify(this.known.get(member.user)) === JSON.stringify(member))
        throw new Error(`${member.user} joined, and was there`);
      this.known.set(member.user, member);
    }
  }

  replay(messages: readonly StoredMessage[]): void {
    messages.forEach((message) => this.send({ kind: "message", message }));
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  goLive(): void {}

  leave(): void {}
}

let members: Members;
let roster: Roster;

function startRoster(pageBytes = 100_000): Roster {
  members = new Members();
  return new Roster(ROOM, { store: members as unknown as PresenceStore, pageLimit: 1_000, pageBytes });
}

function watch(): Watcher {
  const watcher = new Watcher(roster.page().members);
  roster.watch(watcher);
  return watcher;
}

beforeEach(() => {
  jest.useFakeTimers();
  roster = startRoster();
});

afterEach(() => {
  roster.close();
  jest.useRealTimers();
});

describe("a roster", () => {
  test("tells whoever watches since whenever exactly what has changed since then", async () => {
    const move = fc.oneof(
      fc.record({
        user: fc.constantFrom("a", "b", "c"),
        name: fc.constantFrom("x", "y", undefined),
        isLost: fc.boolean(),
      }),
      fc.constantFrom("watch" as const, "wait" as const, "interruption" as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 40 }), async (moves) => {
        roster = startRoster();
        await roster.open();
        const watchers: Watcher[] = [];
        for (const step of moves) {
          if (step === "watch") watchers.push(watch());
          else if (step === "wait") await jest.advanceTimersByTimeAsync(GATHERED_MS / 3);
          else if (step === "interruption") roster.refresh();
          else {
            const change = members.change(step.user, step.name);
            if (!step.isLost) roster.onChange(change);
          }
        }
        roster.refresh();
        await jest.advanceTimersByTimeAsync(GATHERED_MS);
        for (const { known } of watchers) expect(known).toEqual(members.there);
        roster.close();
      }),
    );
  });

  test("gathers what happens within 250 ms into one push", async () => {
    await roster.open();
    const watcher = watch();
    for (let i = 0; i < 100; i += 1) roster.onChange(members.change(`user-${i}`, "x"));
    await jest.advanceTimersByTimeAsync(GATHERED_MS);
    expect(watcher.pushes.map(({ joined, total }) => [joined.length, total])).toEqual([[100, 100]]);
  });

  test("holds changes that come while it reads, and loses none of them", async () => {
    let open = (): void => {};
    members.gate = new Promise((resolve) => (open = resolve));
    const opening = roster.open();
    await jest.advanceTimersByTimeAsync(0);
    roster.onChange(members.change("ana", "ana"));
    open();
    await opening;
    expect(roster.page()).toMatchObject({ members: [{ user: "ana" }], total: 1, complete: true });
  });

  test("begins anew with the first change of another life", async () => {
    members.change("gone", "gone");
    await roster.open();
    const watcher = watch();
    members.life = "two";
    members.version = 0;
    members.there.clear();
    roster.onChange(members.change("ana", "ana"));
    await jest.advanceTimersByTimeAsync(GATHERED_MS);
    expect([...watcher.known.keys()]).toEqual(["ana"]);
  });

  test("goes on trying when the members can't be read", async () => {
    await roster.open();
    const watcher = watch();
    members.change("ana", "ana");
    members.gate = Promise.reject(new Error("away"));
    members.gate.catch(() => {});
    roster.refresh();
    await jest.advanceTimersByTimeAsync(1_000);
    expect(watcher.known.size).toBe(0);
    members.gate = Promise.resolve();
    await jest.advanceTimersByTimeAsync(2_000);
    expect([...watcher.known.keys()]).toEqual(["ana"]);
  });

  test("gives its members page by page, each once, in the order of their users", async () => {
    for (let i = 0; i < 25; i += 1) members.change(`user-${(i * 7) % 25}`, "x");
    await roster.open();
    const pages: string[][] = [];
    for (let after = "", complete = false; !complete; after = pages.at(-1)!.at(-1)!) {
      const page = roster.page(after, 10);
      pages.push(page.members.map(({ user }) => user));
      ({ complete } = page);
      expect(page.total).toBe(25);
    }
    expect(pages.map(({ length }) => length)).toEqual([10, 10, 5]);
    expect(pages.flat()).toEqual([...members.there.keys()].toSorted());
  });

  test("splits what would be too long into several pages, and several pushes", async () => {
    roster = startRoster(1_000);
    await roster.open();
    const watcher = watch();
    for (let i = 0; i < 100; i += 1) roster.onChange(members.change(`user-${i}`, "x"));
    expect(roster.page().members.length).toBeLessThan(30);
    await jest.advanceTimersByTimeAsync(GATHERED_MS);
    expect(watcher.pushes.length).toBeGreaterThan(3);
    expect(watcher.known).toEqual(members.there);
  });

  test("tells those who stopped watching nothing", async () => {
    await roster.open();
    const watcher = watch();
    roster.onChange(members.change("ana", "ana"));
    roster.unwatch(watcher);
    await jest.advanceTimersByTimeAsync(GATHERED_MS);
    expect(watcher.pushes).toEqual([]);
  });

  test("waits for a user of whom the store knows already, and not for ever", async () => {
    await roster.open();
    const seen = roster.seen("ana");
    roster.onChange(members.change("ana", "ana"));
    await seen;
    const late = roster.seen("bob");
    await jest.advanceTimersByTimeAsync(500);
    await late;
    expect(roster.page().total).toBe(1);
  });
});
