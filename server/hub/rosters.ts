import { HubError } from "../../shared/errors.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Observer } from "./observer.ts";
import type { MembersChange, MembersMark, PresenceStore } from "./presence-store.ts";
import { Roster, type RosterContext } from "./roster.ts";

export interface RostersContext extends RosterContext {
  readonly observer: Observer;
  /** The store may have forgotten what this node said in the room. */
  readonly onForgotten: (room: RoomName) => void;
}

/** How often all rosters are compared with the store, in ms; half of it at least. */
const COMPARE_MS = 5_000;
/** What the store has more may be on its way for so long, in ms. */
const ON_ITS_WAY_MS = 500;

/** The rosters of this node: those of rooms that are held here and whose members somebody here has asked for. */
export class Rosters {
  readonly #context: RostersContext;
  readonly #store: PresenceStore;
  readonly #rosters = new Map<RoomName, Roster>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(context: RostersContext) {
    this.#context = context;
    this.#store = context.store;
  }

  /**
   * The members of a room that this node is subscribed to.
   *
   * @throws HubError `unavailable`
   */
  async open(room: RoomName): Promise<Roster> {
    let roster = this.#rosters.get(room);
    if (roster === undefined) {
      roster = new Roster(room, this.#context);
      this.#rosters.set(room, roster);
      this.#schedule();
    }
    await roster.open();
    return roster;
  }

  /** Nobody on this node holds the room any more. */
  drop(room: RoomName): void {
    this.#rosters.get(room)?.close();
    this.#rosters.delete(room);
  }

  onMembers(room: RoomName, change: MembersChange): void {
    this.#rosters.get(room)?.onChange(change);
  }

  /** Changes of a room, or of every one, may have passed unseen. */
  refresh(room?: RoomName): void {
    if (room === undefined) this.#rosters.forEach((roster) => roster.refresh());
    else this.#rosters.get(room)?.refresh();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const room of this.#rosters.keys()) this.drop(room);
  }

  #schedule(): void {
    if (this.#closed || this.#timer !== undefined || this.#rosters.size === 0) return;
    const ms = COMPARE_MS * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => void this.#compare(), ms).unref();
  }

  /** A push can get lost on its way, and if it is the last one nothing that follows would show it. */
  async #compare(): Promise<void> {
    const asked = [...this.#rosters.values()]
      .filter(({ isReading }) => !isReading)
      .map((roster) => ({ roster, had: roster.mark }));
    try {
      const marks = await this.#store.marks(asked.map(({ roster }) => roster.room));
      const behind = asked.flatMap(({ roster, had }, i) => {
        const mark = marks[i]!;
        return mark instanceof HubError || isAt(had, mark) ? [] : [{ roster, had, mark }];
      });
      if (behind.length > 0) await new Promise((resolve) => setTimeout(resolve, ON_ITS_WAY_MS).unref());
      for (const { roster, had, mark } of behind) {
        const isLost = mark.life !== had.life || mark.version < had.version;
        if (isLost) this.#context.onForgotten(roster.room);
        if (isLost || roster.mark.life !== mark.life || roster.mark.version < mark.version) roster.refresh();
      }
    } catch (error) {
      // A store that is away says so itself, and interrupts when it is back.
      if (!(error instanceof HubError)) this.#context.observer.failure("comparing members", error);
    }
    this.#timer = undefined;
    this.#schedule();
  }
}

function isAt(had: MembersMark, mark: MembersMark): boolean {
  return had.life === mark.life && had.version === mark.version;
}
