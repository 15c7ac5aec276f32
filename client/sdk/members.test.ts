import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { HubError } from "../../shared/errors.ts";
import type { Member } from "../../shared/presence.ts";
import type { JoinReply, MembersPush } from "../../shared/protocol.ts";
import { Members } from "./members.ts";

const PAGE = 2;
const USERS = ["a", "b", "c", "d", "e", "f"];

function member(user: string, joinedAt = 1, info?: unknown): Member {
  return { user, name: user.toUpperCase(), joinedAt, ...(info === undefined ? {} : { info }) };
}

function byUser(members: Iterable<Member>): Member[] {
  return [...members].toSorted((a, b) => (a.user < b.user ? -1 : 1));
}

/** A room as the hub has it, and pages of it as it gives them. */
class HubRoom {
  readonly there = new Map<string, Member>();
  #told = new Map<string, Member>();

  snapshot(page = PAGE): JoinReply {
    const members = byUser(this.there.values());
    this.#told = new Map(this.there);
    return { members: members.slice(0, page), total: members.length } as unknown as JoinReply;
  }

  page(after = ""): { members: Member[]; total: number; complete: boolean } {
    const rest = byUser(this.there.values()).filter(({ user }) => user > after);
    return {
      members: rest.slice(0, PAGE),
      total: this.there.size,
      complete: rest.length <= PAGE,
    };
  }

  /** What has changed since the snapshot or the last push. */
  push(): MembersPush {
    const joined = [...this.there.values()].filter(
      (one) => JSON.stringify(this.#told.get(one.user)) !== JSON.stringify(one),
    );
    const left = [...this.#told.values()].filter(({ user }) => !this.there.has(user));
    this.#told = new Map(this.there);
    return { room: "chat:x", joined, left, total: this.there.size };
  }
}

interface Stage {
  readonly members: Members;
  /** `join a`, in the order in which it was told. */
  readonly told: string[];
  /** Answers the page that is being waited for. */
  readonly answer: (room: HubRoom) => Promise<boolean>;
}

function stageOf(): Stage {
  const asked: { after: string | undefined; give: (page: ReturnType<HubRoom["page"]>) => void }[] = [];
  const members = new Members(
    (after) => new Promise((give) => asked.push({ after, give })),
    () => Promise.resolve(),
  );
  const told: string[] = [];
  for (const notice of ["join", "leave", "update"] as const)
    members.on(notice, ({ user }) => told.push(`${notice} ${user}`));
  const answer = async (room: HubRoom): Promise<boolean> => {
    const next = asked.shift();
    next?.give(room.page(next.after));
    await begin();
    return next !== undefined;
  };
  return { members, told, answer };
}

/** Lets what has begun go as far as it can; no answer of a hub comes within one turn. */
async function begin(_begun?: Promise<void>): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function fill(room: HubRoom, ...members: Member[]): void {
  for (const one of members) room.there.set(one.user, one);
}

const STEP = fc.record({
  is: fc.constantFrom("come", "go", "change", "push", "load", "answer", "return"),
  user: fc.constantFrom(...USERS),
});

describe("the members of a room", () => {
  test("are those of the hub in the end, whatever comes in between, and the notices lead there", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { maxLength: 40 }), async (steps) => {
        const room = new HubRoom();
        const { members, told, answer } = stageOf();
        let changes = 0;
        members.enter(room.snapshot());
        for (const step of steps) {
          changes += 1;
          if (step.is === "push") members.change(room.push());
          else if (step.is === "load") await begin(members.load());
          else if (step.is === "answer") await answer(room);
          else if (step.is === "return") members.enter(room.snapshot());
          else if (step.is === "go") room.there.delete(step.user);
          else if (step.is === "come") fill(room, room.there.get(step.user) ?? member(step.user, changes));
          else if (room.there.has(step.user)) fill(room, member(step.user, 1, changes));
        }
        members.change(room.push());
        await begin(members.load());
        while (await answer(room));
        expect(members.complete).toBe(true);
        expect(byUser(members)).toEqual(byUser(room.there.values()));
        expect(members.size).toBe(room.there.size);
        expect(members.total).toBe(room.there.size);
        // Nobody is told to come who is there, or to go who is not.
        const last = new Map<string, string>();
        for (const line of told) {
          const [notice, user] = line.split(" ") as [string, string];
          if (notice === "update") expect(last.get(user)).not.toBe("leave");
          else expect(last.get(user)).not.toBe(notice);
          if (notice !== "update") last.set(user, notice);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("tell nothing of whom the first answer has, and are in the order of their coming, then of their users", () => {
    const room = new HubRoom();
    fill(room, member("c", 1), member("b", 2), member("a", 2));
    const { members, told } = stageOf();
    members.enter(room.snapshot(3));
    expect([...members].map(({ user }) => user)).toEqual(["c", "a", "b"]);
    expect(members.get("b")).toEqual(member("b", 2));
    expect(told).toEqual([]);
  });

  test("tell after a return who came, went and changed meanwhile, and of nobody else", () => {
    const room = new HubRoom();
    fill(room, member("a"), member("b"), member("c"));
    const { members, told } = stageOf();
    members.enter(room.snapshot(3));
    room.there.delete("a");
    fill(room, member("b", 1, "new"), member("d"));
    members.enter(room.snapshot(3));
    expect(told.toSorted()).toEqual(["join d", "leave a", "update b"]);
  });

  test("of a large room take nobody for gone or new who is merely not on the page", async () => {
    const room = new HubRoom();
    fill(room, ...USERS.map((user) => member(user)));
    const { members, told, answer } = stageOf();
    members.enter(room.snapshot());
    expect({ size: members.size, total: members.total, complete: members.complete }).toEqual({
      size: 2,
      total: 6,
      complete: false,
    });
    const loaded = members.load();
    while (await answer(room));
    await loaded;
    expect(members.size).toBe(6);
    room.there.delete("e");
    members.enter(room.snapshot());
    expect(members.complete).toBe(false);
    expect(members.size).toBe(6);
    expect(told).toEqual([]);
    const again = members.load();
    while (await answer(room));
    await again;
    expect(told).toEqual(["leave e"]);
  });

  test("keep a change that comes while a page is on its way", async () => {
    const room = new HubRoom();
    fill(room, ...USERS.map((user) => member(user)));
    const stage = stageOf();
    stage.members.enter(room.snapshot());
    const loaded = stage.members.load();
    const old = { ...room.page("b") };
    room.there.delete("c");
    stage.members.change(room.push());
    await stage.answer({ page: () => old } as unknown as HubRoom);
    while (await stage.answer(room));
    await loaded;
    expect(stage.members.get("c")).toBeUndefined();
  });

  test("load once, however often they are asked to, and pass on why they can't", async () => {
    let asked = 0;
    const page = (): Promise<never> => {
      asked += 1;
      return Promise.reject(new HubError("forbidden", "no"));
    };
    const members = new Members(page, () => Promise.resolve());
    const both = await Promise.allSettled([members.load(), members.load()]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(asked).toBe(1);
  });

  test("tell nothing to a listener that was taken off", () => {
    const room = new HubRoom();
    const { members } = stageOf();
    const told: string[] = [];
    const listener = ({ user }: Member): void => void told.push(user);
    members.on("join", listener).off("join", listener);
    members.enter(room.snapshot());
    fill(room, member("a"));
    members.change(room.push());
    expect(members.size).toBe(1);
    expect(told).toEqual([]);
  });
});
