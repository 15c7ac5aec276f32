import type { Observation } from "../oracle/observations.ts";
import { between, oneOf, type Random } from "../random.ts";

export interface ClientOptions {
  readonly name: string;
  readonly random: Random;
  readonly urls: readonly string[];
  /** The rooms that it may be in. */
  readonly rooms: readonly string[];
  readonly record: (observation: Observation) => void;
  /** The node on which it should come up next, other than the one that it has just lost. */
  readonly nextNode: (lost: number | undefined) => number;
  /** How long it stays, and how long it stays away, at most, in ms. */
  readonly stayMs: number;
  readonly awayMs: number;
  /** How long it leaves no room, at most, in ms. */
  readonly roomMs: number;
}

const RETURN_MS = { least: 50, most: 600 };
/** Who leaves a room is back in it within so long, in ms. */
const OUTSIDE_MS = 4_000;

/**
 * One client: is connected to one node after the other, leaves without a word and comes back, leaves rooms and joins
 * them again. What it does is drawn from its own random numbers; how it does it, its kinds say.
 */
export abstract class ChaosClient {
  protected readonly options: ClientOptions;
  protected readonly wanted: Set<string>;
  #node: number | undefined;
  #away = true;
  #settled = false;

  constructor(options: ClientOptions) {
    this.options = options;
    this.wanted = new Set(options.rooms);
  }

  get name(): string {
    return this.options.name;
  }

  /** The node to which it is connected. */
  get node(): number | undefined {
    return this.isConnected() ? this.#node : undefined;
  }

  get rooms(): readonly string[] {
    return [...this.wanted];
  }

  start(): void {
    this.#comeBack();
    this.#wander();
    if (this.canLeaveRooms()) this.#changeRooms();
  }

  /** From now on it stays where it is, or comes at once, and is in all its rooms. */
  settle(): void {
    this.#settled = true;
    this.options.rooms.forEach((room) => this.#want(room));
    if (this.#away) this.#comeBack();
  }

  /** Opens a connection to a node; `lost` is to be called once when it has failed or ended. */
  protected abstract open(url: string): void;
  protected abstract close(): void;
  protected abstract isConnected(): boolean;
  /** Joins a room over the connection, if there is one. */
  protected abstract enter(room: string): void;
  protected abstract exit(room: string): void;

  protected canLeaveRooms(): boolean {
    return true;
  }

  /** The connection has failed or ended: the next one goes to another node. */
  protected lost(): void {
    if (this.#away) return;
    this.#away = true;
    const { least, most } = RETURN_MS;
    const node = this.#node;
    setTimeout(() => this.#comeBack(node), between(this.options.random, least, most));
  }

  #comeBack(lost?: number): void {
    if (!this.#away) return;
    this.#away = false;
    this.#node = this.options.nextNode(lost);
    this.open(this.options.urls[this.#node]!);
  }

  #wander(): void {
    const { random, stayMs, awayMs } = this.options;
    setTimeout(
      () => {
        if (this.#settled) return;
        if (!this.#away) {
          this.#away = true;
          this.close();
        }
        setTimeout(
          () => {
            this.#comeBack();
            this.#wander();
          },
          between(random, 300, awayMs),
        );
      },
      between(random, 1_000, stayMs),
    );
  }

  #changeRooms(): void {
    const { random, rooms, roomMs } = this.options;
    setTimeout(
      () => {
        if (this.#settled) return;
        const room = oneOf(random, rooms);
        this.wanted.delete(room);
        if (!this.#away) this.exit(room);
        setTimeout(() => this.#want(room), between(random, 0, OUTSIDE_MS));
        this.#changeRooms();
      },
      between(random, roomMs / 8, roomMs),
    );
  }

  #want(room: string): void {
    if (this.wanted.has(room)) return;
    this.wanted.add(room);
    if (!this.#away) this.enter(room);
  }
}
