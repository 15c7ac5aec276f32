import { foldName, type Member } from "../../shared/presence.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type {
  MembersChange,
  MembersList,
  MembersMark,
  MembersRules,
  Present,
} from "../hub/presence-store.ts";
import { NodesInOrder } from "./local-nodes.ts";
import { newEpoch } from "./new-epoch.ts";
import { nameTaken, roomFull } from "./presence-errors.ts";

/** One node as the members' state sees it. */
export interface LocalWatcher {
  /** Never throws. */
  receive(room: RoomName, change: MembersChange): void;
  readonly connections: ReadonlyMap<RoomName, number>;
}

interface Held {
  member: Member;
  /** What `member` was made of. */
  text: string;
  /** The folded name, where this user has it to itself. */
  name: string | undefined;
  /** Whether the user only lingers there. */
  readonly nodes: Map<LocalWatcher, boolean>;
}

interface Room {
  readonly life: string;
  version: number;
  readonly users: Map<string, Held>;
  readonly names: Map<string, string>;
}

/** Of rooms that everybody has left so many are remembered, those that were left last. */
const MOST_EMPTY = 10_000;

/** Holds who is in which room in this process, for the presence stores that share it: they are nodes of one hub. */
export class LocalMembers {
  readonly nodes: NodesInOrder<LocalWatcher> = new NodesInOrder();
  readonly #rooms = new Map<RoomName, Room>();
  /** In the order in which they were left. */
  readonly #empty = new Set<RoomName>();
  readonly #now: () => number;

  /** @param now the present in Unix milliseconds */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** @throws HubError `name_taken`, `too_large` */
  touch(node: LocalWatcher, name: RoomName, present: Present, { uniqueNames, most }: MembersRules): void {
    const { user } = present;
    const folded = uniqueNames ? foldName(present.name) : undefined;
    const room: Room = this.#rooms.get(name) ?? {
      life: newEpoch(),
      version: 0,
      users: new Map(),
      names: new Map(),
    };
    const owner = folded === undefined ? undefined : room.names.get(folded);
    if (owner !== undefined && owner !== user) throw nameTaken(present.name);
    const known = room.users.get(user);
    if (known === undefined && room.users.size >= most) throw roomFull(most);
    this.#rooms.set(name, room);
    this.#empty.delete(name);
    const text = JSON.stringify([present.name, present.info]);
    const member = memberOf(present, known?.member.joinedAt ?? this.#now());
    const held: Held = known ?? { member, text: "", name: undefined, nodes: new Map() };
    room.users.set(user, held);
    held.nodes.set(node, false);
    freeName(room, held);
    held.name = folded;
    if (folded !== undefined) room.names.set(folded, user);
    if (held.text === text) return;
    held.text = text;
    held.member = member;
    this.#announce(name, room, [member], []);
  }

  linger(node: LocalWatcher, name: RoomName, user: string): void {
    const room = this.#rooms.get(name);
    const held = room?.users.get(user);
    if (room === undefined || held?.nodes.has(node) !== true) return;
    held.nodes.set(node, true);
    freeUnusedName(room, held);
  }

  remove(node: LocalWatcher, name: RoomName, users: readonly string[]): void {
    const room = this.#rooms.get(name);
    if (room === undefined) return;
    const left: Member[] = [];
    for (const user of users) {
      const held = room.users.get(user);
      if (held?.nodes.delete(node) !== true) continue;
      freeUnusedName(room, held);
      if (held.nodes.size > 0) continue;
      room.users.delete(user);
      left.push(held.member);
    }
    if (left.length === 0) return;
    if (room.users.size === 0) this.#emptied(name);
    this.#announce(name, room, [], left);
  }

  list(name: RoomName): MembersList {
    const members = [...(this.#rooms.get(name)?.users.values() ?? [])].map(({ member }) => member);
    return { mark: this.mark(name), members };
  }

  mark(name: RoomName): MembersMark {
    const room = this.#rooms.get(name);
    return room === undefined ? { life: "", version: 0, total: 0 } : markOf(room);
  }

  /** Takes everything back that a node said. */
  forget(node: LocalWatcher): void {
    for (const [name, { users }] of this.#rooms) this.remove(node, name, [...users.keys()]);
  }

  #emptied(name: RoomName): void {
    this.#empty.add(name);
    if (this.#empty.size <= MOST_EMPTY) return;
    const [oldest] = this.#empty;
    this.#empty.delete(oldest!);
    this.#rooms.delete(oldest!);
  }

  #announce(name: RoomName, room: Room, joined: readonly Member[], left: readonly Member[]): void {
    room.version += 1;
    const change: MembersChange = { ...markOf(room), joined, left };
    this.nodes.tell((node) => node.receive(name, change));
  }
}

function markOf({ life, version, users }: Room): MembersMark {
  return { life, version, total: users.size };
}

function memberOf({ user, name, info }: Present, joinedAt: number): Member {
  return { user, name, ...(info !== undefined && { info: JSON.parse(info) as unknown }), joinedAt };
}

function freeUnusedName(room: Room, held: Held): void {
  if ([...held.nodes.values()].every((lingers) => lingers)) freeName(room, held);
}

function freeName(room: Room, held: Held): void {
  if (held.name !== undefined) room.names.delete(held.name);
  held.name = undefined;
}
