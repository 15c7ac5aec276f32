import { setTimeout as sleep } from "node:timers/promises";
import { toHubError } from "../../shared/errors.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Outgoing } from "./outgoing.ts";
import { Failure, type Outcome, type Transport } from "./transport.ts";

const BACK_OFF_MS = 50;
const LONGEST_BACK_OFF_MS = 1_000;

/**
 * A hub answers within 2 s, so one that has not by now hangs. Whoever has much more time may need it for many bytes: half
 * of it, which leaves the other half for another try.
 */
const TRY_MS = 3_000;

/**
 * Sends batches, each until every message of it is answered or given up. The tries of one batch follow each other with
 * the same ids, so what an earlier one stored is answered as the duplicate that it is.
 */
export class Delivery {
  readonly #transport: Transport;
  readonly #turns: Turns;
  readonly #random: () => number;

  constructor(transport: Transport, random: () => number = Math.random) {
    this.#transport = transport;
    this.#turns = new Turns(transport.batchesAtOnce);
    this.#random = random;
  }

  /** Never rejects: each message has its own answer. */
  async deliver(room: RoomName, batch: readonly Outgoing[]): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      await this.#turns.take();
      try {
        await this.#try(room, batch.filter(isOpen));
      } finally {
        this.#turns.give();
      }
      const open = batch.filter(isOpen);
      if (open.length === 0) return;
      const { signal } = onceUnwanted(open);
      await sleep(this.#pause(open, failures), undefined, { signal }).catch(() => {});
    }
  }

  async #try(room: RoomName, open: readonly Outgoing[]): Promise<void> {
    if (open.length === 0) return;
    const messages = open.map((outgoing) => outgoing.start());
    const unwanted = onceUnwanted(open);
    const rest = longestRest(open);
    // Whoever waits has a timer that keeps the process; this one must not outlast them.
    const late = setTimeout(() => unwanted.abort(), Math.min(rest, Math.max(TRY_MS, rest / 2))).unref();
    const outcomes = await this.#transport
      .send(room, messages, unwanted.signal)
      .catch((error: unknown): Outcome[] => messages.map(() => new Failure(toHubError(error), false)))
      .finally(() => clearTimeout(late));
    open.forEach((outgoing, i) => outgoing.take(outcomes[i]!));
  }

  /**
   * Any length up to a growing limit, so that many publishers do not come back at once, on top of what the hub asked
   * for. The limit ends with the time of the most patient, who gets one last try.
   */
  #pause(open: readonly Outgoing[], failures: number): number {
    const asked = Math.max(...open.map(({ pauseMs }) => pauseMs));
    const limit = Math.min(LONGEST_BACK_OFF_MS, BACK_OFF_MS * 2 ** failures, longestRest(open) - asked);
    return asked + this.#random() * Math.max(0, limit);
  }
}

function isOpen(outgoing: Outgoing): boolean {
  return outgoing.isOpen;
}

function longestRest(open: readonly Outgoing[]): number {
  return Math.max(...open.map(({ restMs }) => restMs));
}

/** Aborts as soon as all of these have been given up. */
function onceUnwanted(open: readonly Outgoing[]): AbortController {
  const controller = new AbortController();
  let wanted = open.length;
  for (const outgoing of open) {
    outgoing.onGivenUp = () => {
      wanted -= 1;
      if (wanted === 0) controller.abort();
    };
  }
  return controller;
}

/** Lets so many in at once, the others in their order. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(free: number) {
    this.#free = free;
  }

  async take(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
