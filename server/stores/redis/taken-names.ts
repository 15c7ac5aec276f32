import { setTimeout as sleep } from "node:timers/promises";
import type { RoomName } from "../../../shared/room-name.ts";
import type { NodeLeases, Registry } from "./node-leases.ts";
import type { Operation, Outcome } from "./presence-lanes.ts";
import { unavailable } from "./store-error.ts";

export interface TakenNamesOptions {
  readonly leases: NodeLeases;
  readonly tickMs: number;
  readonly leaseMs: number;
  readonly isOwn: (id: string) => boolean;
  /** Takes back what dead nodes said of rooms. */
  readonly prune: (rooms: readonly RoomName[]) => Promise<unknown>;
  readonly say: (room: RoomName, operation: Operation) => Promise<Outcome>;
}

export interface Claim {
  readonly room: RoomName;
  readonly operation: Operation;
  /** Nothing else has been said of this user since. */
  readonly isLatest: () => boolean;
}

interface Waiting extends Claim {
  /** Until all nodes that live have renewed their leases since then, by the registry's clock. */
  readonly since: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Decides whether a name is taken. Whoever has it may be on a node that has just been killed, and come back to this one
 * as another guest: so it is asked for again until every node has proven to live, or what it said has been taken back.
 */
export class TakenNames {
  readonly #options: TakenNamesOptions;
  readonly #waiting: Waiting[] = [];
  #running = false;
  #closed = false;

  constructor(options: TakenNamesOptions) {
    this.#options = options;
  }

  /**
   * Resolves with what became of it in the end.
   *
   * @throws HubError `unavailable`
   */
  async settle(claim: Claim): Promise<Outcome> {
    const { now } = await this.#options.leases.renew();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...claim, since: now, resolve, reject });
      void this.#run();
    });
  }

  close(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(closing());
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (this.#waiting.length > 0) {
      await sleep(this.#options.tickMs, undefined, { ref: false });
      const round = this.#waiting.splice(0);
      try {
        const registry = await this.#options.leases.renew();
        await this.#options.prune([...new Set(round.map(({ room }) => room))]);
        await Promise.all(round.map((waiting) => this.#again(waiting, registry)));
      } catch (error) {
        for (const { reject } of round) reject(error);
      }
    }
    this.#running = false;
  }

  async #again(waiting: Waiting, registry: Registry): Promise<void> {
    const { room, operation, isLatest, since, resolve, reject } = waiting;
    try {
      if (this.#closed) throw closing();
      // A later word about the same user must not be overtaken.
      const outcome = isLatest() ? await this.#options.say(room, operation) : "taken";
      const isSettled = outcome !== "taken" || !isLatest() || this.#haveRenewed(since, registry);
      if (isSettled) resolve(outcome);
      else this.#waiting.push(waiting);
    } catch (error) {
      reject(error);
    }
  }

  #haveRenewed(since: number, { leases, woke }: Registry): boolean {
    const { isOwn, leaseMs } = this.#options;
    // Leases that were put off prove nothing.
    return [...leases].every(([id, end]) => isOwn(id) || end - leaseMs >= Math.max(since, woke));
  }
}

function closing(): Error {
  return unavailable("the store has been closed");
}
