import { setTimeout as sleep } from "node:timers/promises";
import { hashOf } from "./hash.ts";
import type { Observation } from "./oracle/observations.ts";
import { between, type Random } from "./random.ts";
import type { RoomPlan } from "./wire.ts";

/** A message on its way; every attempt sends the same. */
export interface Outgoing {
  readonly room: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly id: string;
}

/** What an attempt came to. */
export type Outcome =
  | {
      readonly kind: "ok";
      readonly epoch: string;
      readonly offset: number;
      readonly duplicate: boolean;
    }
  | { readonly kind: "fail" | "unknown"; readonly code: string };

export interface PublisherOptions {
  readonly name: string;
  readonly random: Random;
  readonly record: (observation: Observation) => void;
  /** Tries to send messages once, in their order; resolves with what became of each. Never rejects. */
  readonly send: (messages: readonly Outgoing[]) => Promise<readonly Outcome[]>;
}

/** A message whose fate is still unknown after so long is given up, in ms. */
const GIVE_UP_MS = 60_000;
/** The part of messages that is sent once more after its answer. */
const REPEATED = 0.05;
const MOST_AT_ONCE = 3;

/** Sends into rooms at their rates, each message until its fate is known, and writes down what happens. */
export class ChaosPublisher {
  readonly #options: PublisherOptions;
  #count = 0;
  #hushed = false;
  #unanswered = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Messages whose fate is unknown. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** From now on nothing new is sent. */
  hush(): void {
    this.#hushed = true;
  }

  /** @param rate messages a second */
  async run(room: string, rate: number): Promise<void> {
    const { random } = this.#options;
    while (!this.#hushed) {
      const size = 1 + Math.floor(random() * MOST_AT_ONCE);
      await sleep(between(random, 0.2, 1.8) * (size / rate) * 1_000);
      if (!this.#hushed) await this.#publish(Array.from({ length: size }, () => this.#make(room)));
    }
  }

  #make(room: string): Outgoing {
    this.#count += 1;
    const id = `${this.#options.name}-${this.#count}`;
    // Some are long, so that a replay fills more than one buffer.
    const text = "x".repeat(Math.floor(this.#options.random() ** 4 * 2_000));
    return { room, id, event: room.startsWith("chat:") ? "message" : "log", data: { room, id, text } };
  }

  async #publish(messages: readonly Outgoing[]): Promise<void> {
    this.#unanswered += messages.length;
    const { random } = this.#options;
    const end = Date.now() + GIVE_UP_MS;
    try {
      for (let waiting = messages; waiting.length > 0 && Date.now() < end;) {
        const outcomes = await this.#attempt(waiting);
        waiting = waiting.filter((_, i) => outcomes[i]?.kind === "unknown");
        if (waiting.length > 0) await sleep(between(random, 100, 500));
      }
      const again = messages.filter(() => random() < REPEATED);
      if (again.length > 0) await this.#attempt(again);
    } finally {
      this.#unanswered -= messages.length;
    }
  }

  async #attempt(messages: readonly Outgoing[]): Promise<readonly Outcome[]> {
    const { name: publisher, record, send } = this.#options;
    for (const { room, id, event, data } of messages)
      record({ kind: "invoke", at: Date.now(), publisher, room, id, hash: hashOf(event, data) });
    const outcomes = await send(messages);
    messages.forEach(({ room, id }, i) => {
      const outcome = outcomes[i] ?? { kind: "unknown", code: "none" };
      record({ ...outcome, at: Date.now(), publisher, room, id });
    });
    return outcomes;
  }
}

/** Runs a publisher in all rooms, with a part of their rates. */
export function runEverywhere(publisher: ChaosPublisher, rooms: readonly RoomPlan[], share: number): void {
  for (const { room, rate } of rooms) void publisher.run(room, rate * share);
}
