import { HubError } from "../../../shared/errors.ts";
import type { Member } from "../../../shared/presence.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { MembersList, MembersMark } from "../../hub/presence-store.ts";
import type { Commands } from "./commands.ts";
import type { DeadNodes } from "./dead-nodes.ts";
import { presenceKeys } from "./keys.ts";
import { unavailable } from "./store-error.ts";

const READS_AT_ONCE = 1_000;
const PAGE = "1000";
const MOST_TRIES = 5;

interface State {
  readonly mark: MembersMark;
  readonly nodes: readonly string[];
}

/** Reads a room's members, less those of nodes that are certainly dead. */
export class MembersReader {
  readonly #commands: Commands;
  readonly #dead: DeadNodes;

  constructor(commands: Commands, dead: DeadNodes) {
    this.#commands = commands;
    this.#dead = dead;
  }

  async marks(rooms: readonly RoomName[]): Promise<readonly (MembersMark | HubError)[]> {
    const states = [...(await this.#states(rooms))];
    const nodes = new Set(states.flatMap((state) => (state instanceof HubError ? [] : state.nodes)));
    const dead = await this.#dead.among(nodes);
    if (dead.size > 0) {
      const marked = states.map(async (state, i): Promise<State | HubError> => {
        const gone = state instanceof HubError ? [] : state.nodes.filter((id) => dead.has(id));
        if (gone.length === 0) return state;
        await this.#dead.pruneRoom(rooms[i]!, gone);
        return (await this.#states([rooms[i]!]))[0]!;
      });
      const settled = await Promise.allSettled(marked);
      settled.forEach((result, i) => {
        states[i] = result.status === "fulfilled" ? result.value : (result.reason as HubError);
      });
    }
    return states.map((state) => (state instanceof HubError ? state : state.mark));
  }

  /** @throws HubError `unavailable` */
  async list(room: RoomName): Promise<MembersList> {
    for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
      const [mark] = await this.marks([room]);
      if (mark instanceof HubError) throw mark;
      const members = mark!.life === "" ? [] : await this.#scan(room);
      const [after] = await this.#states([room]);
      if (after instanceof HubError) throw after;
      // Of two lives at once nothing is known.
      if (after!.mark.life === mark!.life) return { mark: mark!, members };
    }
    throw unavailable("the members of the room have begun anew again and again");
  }

  async #scan(room: RoomName): Promise<Member[]> {
    const found = new Map<string, Member>();
    let cursor = "0";
    do {
      const command = ["HSCAN", presenceKeys(room, "")[0], cursor, "COUNT", PAGE];
      const [next, page] = (await this.#commands.run(command)) as [string, string[]];
      // A scan may give a field twice.
      for (let i = 0; i < page.length; i += 2) found.set(page[i]!, memberOf(page[i + 1]!));
      cursor = next;
    } while (cursor !== "0");
    return [...found.values()];
  }

  async #states(rooms: readonly RoomName[]): Promise<readonly (State | HubError)[]> {
    const states: (State | HubError)[] = [];
    for (let i = 0; i < rooms.length; i += READS_AT_ONCE) {
      const reads = rooms.slice(i, i + READS_AT_ONCE).map((room) => ["HGETALL", presenceKeys(room, "")[1]]);
      states.push(...(await this.#commands.runAll(reads)).map(stateOf));
    }
    return states;
  }
}

function stateOf(reply: unknown): State | HubError {
  if (reply instanceof HubError) return reply;
  const { life = "", version = "0", total = "0", ...nodes } = reply as Record<string, string>;
  return { mark: { life, version: Number(version), total: Number(total) }, nodes: Object.keys(nodes) };
}

/** See `presence.lua`. */
function memberOf(value: string): Member {
  const [, joinedAt, head] = /^\d+ \d+ (\d+) (.*)$/s.exec(value)!;
  return JSON.parse(`${head},"joinedAt":${joinedAt}}`) as Member;
}
