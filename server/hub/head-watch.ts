import { toHubError } from "../../shared/errors.ts";
import type { Position } from "../../shared/position.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Broker, CheckResult } from "./broker.ts";
import type { Observer } from "./observer.ts";

/** What is watched of a room. */
export interface WatchedRoom {
  readonly name: RoomName;
  readonly last: Position;
  unprovenMs(now: number): number;
  judge(since: Position, log: CheckResult, askedAt: number): void;
}

/** A room that nothing has proven for so long is compared; drawn for each, so that rooms spread by themselves. */
const UNPROVEN_MS = { least: 2_500, most: 3_500 };
const ROUND_MS = { least: 250, most: 500 };
/** While the store is away, rooms find out by themselves what they missed when it is back. */
const AWAY_MS = 1_000;

/**
 * Compares the rooms of this node with their logs before 4 s have passed in which nothing proved that they have all
 * there is: a message that follows the one before it proves it, so only quiet rooms cost anything.
 */
export class HeadWatch {
  readonly #broker: Broker;
  readonly #observer: Observer;
  readonly #rooms: () => Iterable<WatchedRoom>;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(broker: Broker, observer: Observer, rooms: () => Iterable<WatchedRoom>) {
    this.#broker = broker;
    this.#observer = observer;
    this.#rooms = rooms;
  }

  start(): void {
    this.#next(between(ROUND_MS));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #next(ms: number): void {
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#round(), ms).unref();
  }

  async #round(): Promise<void> {
    try {
      await this.#compare();
      this.#next(between(ROUND_MS));
    } catch (error) {
      if (toHubError(error).code === "internal")
        this.#observer.failure("comparing rooms with their logs", error);
      this.#next(AWAY_MS);
    }
  }

  async #compare(): Promise<void> {
    const askedAt = performance.now();
    const due: { readonly room: WatchedRoom; readonly since: Position }[] = [];
    for (const room of this.#rooms())
      if (room.unprovenMs(askedAt) > between(UNPROVEN_MS)) due.push({ room, since: room.last });
    if (due.length === 0) return;
    const logs = await this.#broker.check(
      due.map(({ room, since }) => ({ room: room.name, offset: since.offset })),
    );
    due.forEach(({ room, since }, i) => room.judge(since, logs[i]!, askedAt));
  }
}

function between({ least, most }: { readonly least: number; readonly most: number }): number {
  return least + Math.random() * (most - least);
}
