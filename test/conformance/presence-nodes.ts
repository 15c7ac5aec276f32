import type {
  MembersChange,
  MembersRules,
  PresenceHandler,
  PresenceStore,
  Present,
} from "../../server/hub/presence-store.ts";
import type { Member } from "../../shared/presence.ts";
import type { RoomName } from "../../shared/room-name.ts";
import { until } from "../support/wait.ts";

/** Remembers what its node is told of members, and says again what a test wants said again. */
export class MembersEar implements PresenceHandler {
  readonly #changes = new Map<RoomName, MembersChange[]>();
  forgotten = 0;
  sayAgain: () => Promise<void> = async () => {};

  onMembers(room: RoomName, change: MembersChange): void {
    this.#changes.set(room, [...this.of(room), change]);
  }

  async onForgotten(): Promise<void> {
    this.forgotten += 1;
    await this.sayAgain();
  }

  of(room: RoomName): readonly MembersChange[] {
    return this.#changes.get(room) ?? [];
  }
}

export interface PresenceNode {
  readonly store: PresenceStore;
  readonly ear: MembersEar;
  /** When it resolves, the ear is told of the room. */
  hold(room: RoomName): Promise<void>;
}

/** Two nodes that share one store, started. */
export interface PresenceNodes {
  readonly a: PresenceNode;
  readonly b: PresenceNode;
  close(): Promise<void>;
}

export type MakePresence = () => Promise<PresenceNodes>;

/** Names may be alike. */
export const ANY: MembersRules = { uniqueNames: false, most: 1_000 };
export const UNIQUE: MembersRules = { uniqueNames: true, most: 1_000 };

export function person(user: string, name: string = user, info?: unknown): Present {
  return info === undefined ? { user, name } : { user, name, info: JSON.stringify(info) };
}

/** Who is in the room after these changes, by user. */
export function applied(
  changes: readonly MembersChange[],
  before: readonly Member[] = [],
): Map<string, Member> {
  const members = new Map(before.map((member) => [member.user, member]));
  for (const { joined, left } of changes) {
    for (const { user } of left) members.delete(user);
    for (const member of joined) members.set(member.user, member);
  }
  return members;
}

/** Waits until a node has been told of the change to which the room has come, and gives all it was told. */
export async function heard({ store, ear }: PresenceNode, room: RoomName): Promise<readonly MembersChange[]> {
  const [mark] = await store.marks([room]);
  const { version } = mark as MembersChange;
  await until(() => version === 0 || ear.of(room).some((change) => change.version === version));
  return ear.of(room);
}

export const usersOf = (members: Iterable<{ readonly user: string }>): string[] =>
  [...members].map(({ user }) => user).toSorted();

/** What two nodes were told, a line for each change: `+` who joined or changed, `-` who left. */
export function lines(changes: readonly MembersChange[]): string[] {
  return changes.map(({ version, total, joined, left }) =>
    [
      `${version}/${total}`,
      ...usersOf(joined).map((user) => `+${user}`),
      ...usersOf(left).map((user) => `-${user}`),
    ].join(" "),
  );
}
