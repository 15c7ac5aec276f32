import type { Limits } from "../../shared/limits.ts";
import { randomId } from "../../shared/message-id.ts";
import type { Commands } from "../stores/redis/commands.ts";
import { BRIDGE_KEY } from "../stores/redis/keys.ts";
import { runScript } from "../stores/redis/scripts.ts";

/** A node that does not renew it for so long is taken for dead, in ms. */
const LEASE_MS = 4_000;

/** Says which node of all takes what is published: one at most, at any time. */
export class Lease {
  readonly #commands: Commands;
  readonly #limits: Pick<Limits, "redisCommandMs">;
  readonly #holder = randomId();
  #until = Number.NEGATIVE_INFINITY;
  #drops = 0;

  constructor(commands: Commands, limits: Pick<Limits, "redisCommandMs">) {
    this.#commands = commands;
    this.#limits = limits;
  }

  /** By this node's own clock, so a process that stood still for too long knows that it holds nothing any more. */
  get isHeld(): boolean {
    return performance.now() < this.#until;
  }

  /** Takes the lease if nobody has it, or renews it. @throws HubError `unavailable`; what is held is held until its end */
  async renew(): Promise<void> {
    // Before it is sent, so that it ends here before it does in Redis.
    const until = performance.now() + LEASE_MS;
    const drops = this.#drops;
    const isMine = (await this.#ask(LEASE_MS)) === 1;
    if (drops === this.#drops) this.#until = isMine ? until : Number.NEGATIVE_INFINITY;
  }

  /** Holds nothing from now on, until it is taken again: another Redis may be there, which knows of no lease. */
  drop(): void {
    this.#drops += 1;
    this.#until = Number.NEGATIVE_INFINITY;
  }

  /** Lets another node take it at once. @throws HubError `unavailable` */
  async giveBack(): Promise<void> {
    this.drop();
    await this.#ask(0);
  }

  #ask(ms: number): Promise<unknown> {
    const args = [this.#holder, String(ms)];
    return runScript(this.#commands, "lease", [BRIDGE_KEY], args, this.#limits.redisCommandMs);
  }
}
