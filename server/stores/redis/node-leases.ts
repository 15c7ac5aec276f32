import type { RoomName } from "../../../shared/room-name.ts";
import type { Commands } from "./commands.ts";
import { nodesKeys } from "./keys.ts";
import { runScript } from "./scripts.ts";

/** The connections of a node's rooms are kept for so long; a node that is away for longer sends them anew. */
const KEPT_MS = 600_000;
/** Rooms whose connections are told in one script. */
const PAIRS_AT_ONCE = 1_000;

export interface LeaseTimes {
  /** Each node renews its lease so often, in ms. */
  readonly tickMs: number;
  /** A node that has not renewed its lease for so long is dead, in ms. */
  readonly leaseMs: number;
  /** After so long what a closed node said is taken back, in ms. */
  readonly closingMs: number;
  /** What nobody says again is forgotten after so long, in ms; a node says it four times as often. */
  readonly keepMs: number;
}

/** With these, what a node said is taken back at most 15 s after it died. */
export const LEASE_TIMES: LeaseTimes = {
  tickMs: 1_000,
  leaseMs: 12_000,
  closingMs: 5_000,
  keepMs: 86_400_000,
};
/** Redis that nobody asked for so many ticks was away. */
const TICKS_OF_SILENCE = 3;

/** What Redis knew of all nodes at one moment; times in Unix milliseconds of its clock. */
export interface Registry {
  readonly now: number;
  /** For so long it has been kept: a node that it does not have may be one that it has lost. */
  readonly ageMs: number;
  /** Since then no lease has been put off because nobody asked. */
  readonly woke: number;
  /** The nodes that live, and the ends of their leases. */
  readonly leases: ReadonlyMap<string, number>;
  /** Those ids of this node whose lease has run out. */
  readonly unknown: ReadonlySet<string>;
}

export interface NodeLeasesOptions {
  readonly commands: Commands;
  readonly redisCommandMs: number;
  readonly times: LeaseTimes;
  /** The ids that this node has; connections are told under the first. */
  readonly ids: () => readonly [string, ...string[]];
  /** The id that it takes: only that one is not in the registry yet. */
  readonly taken: () => string | undefined;
  /** Is called with each new registry. */
  readonly onRenewed: (registry: Registry) => void;
}

/** Keeps this node's leases, and with them tells how many connections its rooms have. */
export class NodeLeases {
  readonly #options: NodeLeasesOptions;
  readonly #connections = new Map<RoomName, number>();
  readonly #untold = new Set<RoomName>();
  #leaseMs: number;
  #running: Promise<Registry> | undefined;
  #next: Promise<Registry> | undefined;

  constructor(options: NodeLeasesOptions) {
    this.#options = options;
    this.#leaseMs = options.times.leaseMs;
  }

  /** Adds up the connections of rooms on this node, as they are, and on others, as they were told. */
  async connections(rooms: readonly RoomName[], others: readonly string[]): Promise<readonly number[]> {
    const sums = rooms.map((room) => this.#connectionsOf(room));
    for (let from = 0; from < rooms.length && others.length > 0; from += PAIRS_AT_ONCE) {
      const some = rooms.slice(from, from + PAIRS_AT_ONCE);
      const reads = others.map((id) => ["HMGET", nodesKeys(id)[2], ...some]);
      for (const reply of await this.#options.commands.runAll(reads))
        (reply as readonly (string | null)[]).forEach((count, i) => (sums[from + i]! += Number(count)));
    }
    return sums;
  }

  setConnections(room: RoomName, connections: number): void {
    if (this.#connectionsOf(room) === connections) return;
    if (connections > 0) this.#connections.set(room, connections);
    else this.#connections.delete(room);
    this.#untold.add(room);
  }

  /** Everything is told anew. */
  forget(): void {
    this.#untold.clear();
    for (const room of this.#connections.keys()) this.#untold.add(room);
  }

  /**
   * Renews the leases and gives the registry as it is after this call.
   *
   * @throws HubError `unavailable`
   */
  renew(): Promise<Registry> {
    if (this.#running === undefined) return this.#run();
    // The one that is under way may have looked already.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#run();
      });
    return this.#next;
  }

  /** Lets the leases end soon. */
  async end(): Promise<void> {
    this.#leaseMs = this.#options.times.closingMs;
    await this.renew();
  }

  #connectionsOf(room: RoomName): number {
    return this.#connections.get(room) ?? 0;
  }

  #run(): Promise<Registry> {
    this.#running = this.#renew().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #renew(): Promise<Registry> {
    let registry: Registry;
    do {
      registry = await this.#script([...this.#untold].slice(0, PAIRS_AT_ONCE));
      this.#options.onRenewed(registry);
    } while (this.#untold.size >= PAIRS_AT_ONCE);
    return registry;
  }

  async #script(rooms: readonly RoomName[]): Promise<Registry> {
    const { commands, redisCommandMs, times, ids: idsOf, taken } = this.#options;
    const ids = idsOf();
    for (const room of rooms) this.#untold.delete(room);
    const args = [
      this.#leaseMs,
      TICKS_OF_SILENCE * times.tickMs,
      KEPT_MS,
      taken() ?? "",
      ids.length,
      ...ids,
      ...rooms.flatMap((room) => [room, this.#connectionsOf(room)]),
    ].map(String);
    try {
      const reply = await runScript(commands, "nodes", nodesKeys(ids[0]), args, redisCommandMs);
      return registryOf(reply as readonly string[], ids);
    } catch (error) {
      for (const room of rooms) this.#untold.add(room);
      throw error;
    }
  }
}

function registryOf(reply: readonly string[], ids: readonly string[]): Registry {
  const [now, ageMs, woke, unknown, ...pairs] = reply as [string, string, string, string, ...string[]];
  const leases = new Map<string, number>();
  for (let i = 0; i < pairs.length; i += 2) leases.set(pairs[i]!, Number(pairs[i + 1]));
  return {
    now: Number(now),
    ageMs: Number(ageMs),
    woke: Number(woke),
    leases,
    unknown: new Set(ids.filter((_, i) => unknown[i] === "1")),
  };
}
