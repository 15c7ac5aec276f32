import { HubError } from "../../../shared/errors.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import { eachAtOnce } from "./at-once.ts";
import type { Commands } from "./commands.ts";
import { presenceKeys } from "./keys.ts";
import type { NodeLeases, Registry } from "./node-leases.ts";
import { newSpeaker, type PresenceLanes } from "./presence-lanes.ts";

const READS_AT_ONCE = 1_000;
export const PRUNES_AT_ONCE = 16;

export interface DeadNodesOptions {
  readonly commands: Commands;
  readonly lanes: PresenceLanes;
  readonly leases: NodeLeases;
  readonly leaseMs: number;
  readonly isOwn: (id: string) => boolean;
  /** The rooms in which something was said here, or that are held here. */
  readonly rooms: () => ReadonlySet<RoomName>;
  readonly onError: (error: unknown) => void;
}

/** Takes back what nodes said that have died. Several nodes may do so at once: each change is announced by one. */
export class DeadNodes {
  readonly #options: DeadNodesOptions;
  /** Others that lived when they were seen last, or of which it can't be told yet. */
  readonly #others = new Set<string>();
  /** Those whose words have not been taken back yet. */
  readonly #dead = new Set<string>();
  #latest: Registry | undefined;
  #pruning = false;

  constructor(options: DeadNodesOptions) {
    this.#options = options;
  }

  see(registry: Registry): void {
    this.#latest = registry;
    const { isOwn } = this.#options;
    for (const id of registry.leases.keys()) if (!isOwn(id)) this.#others.add(id);
    for (const id of this.#others) {
      if (!isOwn(id) && !this.#isDead(id, registry)) continue;
      this.#others.delete(id);
      if (!isOwn(id)) this.#dead.add(id);
    }
  }

  /** Takes back what the nodes said that have died meanwhile; what fails is tried again by the next call. */
  async prune(): Promise<void> {
    if (this.#pruning || this.#dead.size === 0) return;
    this.#pruning = true;
    const dead = [...this.#dead];
    try {
      await this.#pruneIn([...this.#options.rooms()], dead);
      for (const id of dead) this.#dead.delete(id);
    } catch (error) {
      this.#options.onError(error);
    }
    this.#pruning = false;
  }

  /** Which of these nodes are certainly dead. Only if one of them is not known to live, Redis is asked. */
  async among(ids: Iterable<string>): Promise<ReadonlySet<string>> {
    const doubtful = [...ids].filter(
      (id) => !this.#options.isOwn(id) && this.#latest?.leases.has(id) !== true,
    );
    if (doubtful.length === 0) return new Set();
    try {
      // A node that has come since the last look has been registered before it said anything.
      const registry = await this.#options.leases.renew();
      return new Set(doubtful.filter((id) => this.#isDead(id, registry)));
    } catch (error) {
      this.#options.onError(error);
      return new Set();
    }
  }

  async pruneRoom(room: RoomName, ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.#options.lanes.prune(room, newSpeaker(id));
  }

  #isDead(id: string, { leases, ageMs }: Registry): boolean {
    return !leases.has(id) && ageMs >= this.#options.leaseMs;
  }

  async #pruneIn(rooms: readonly RoomName[], dead: readonly string[]): Promise<void> {
    const found: [RoomName, string[]][] = [];
    for (let i = 0; i < rooms.length; i += READS_AT_ONCE) {
      const some = rooms.slice(i, i + READS_AT_ONCE);
      const reads = some.map((room) => ["HMGET", presenceKeys(room, "")[1], ...dead]);
      const replies = await this.#options.commands.runAll(reads);
      replies.forEach((reply, at) => {
        if (reply instanceof HubError) throw reply;
        const held = dead.filter((_, index) => (reply as readonly (string | null)[])[index] !== null);
        if (held.length > 0) found.push([some[at]!, held]);
      });
    }
    await eachAtOnce(PRUNES_AT_ONCE, found, ([room, ids]) => this.pruneRoom(room, ids));
  }
}
