import { HubError, toHubError } from "../../shared/errors.ts";
import type { Position } from "../../shared/position.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Broker, CheckResult } from "./broker.ts";
import type { Observer } from "./observer.ts";

/** What is watched of a room. */
export interface WatchedRoom {
  readonly name: RoomName;
  readonly last: Position;
  unprovenMs(now: number): number;
  prove(askedAt: number): void;
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
    let askedAt = performance.now();
    const due: Due[] = [];
    for (const room of this.#rooms())
      if (room.unprovenMs(askedAt) > between(UNPROVEN_MS)) due.push({ room, since: room.last });
    if (due.length === 0) return;
    const heads = await this.#broker.heads(due.map(({ room }) => room.name));
    const different = due.filter(({ room, since }, i) => {
      const head = heads[i];
      if (head instanceof HubError) return false;
      const isSame = isSamePlace(since, head);
      if (isSame) room.prove(askedAt);
      return !isSame;
    });
    if (different.length === 0) return;
    // Asked with the place of then: a room that has gone on meanwhile is proven by that.
    askedAt = performance.now();
    const logs = await this.#broker.check(
      different.map(({ room, since }) => ({ room: room.name, offset: since.offset })),
    );
    different.forEach(({ room, since }, i) => room.judge(since, logs[i]!, askedAt));
  }
}

interface Due {
  readonly room: WatchedRoom;
  /** Where it stood when the log was asked. */
  readonly since: Position;
}

function isSamePlace(a: Position, b: Position | undefined): boolean {
  return a.epoch === b?.epoch && a.offset === b.offset && a.id === b.id;
}

function between({ least, most }: { readonly least: number; readonly most: number }): number {
  return least + Math.random() * (most - least);
}
