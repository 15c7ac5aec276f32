import { setImmediate } from "node:timers/promises";
import { HubError, toHubError } from "../../../shared/errors.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { StoredMessage } from "../../hub/broker.ts";
import { type Database, LONGEST_NAME_BYTES, type Write } from "./database.ts";
import { StoreFull } from "./full-disk.ts";
import { LogWriter } from "./log-writer.ts";

/** One commit costs no more, in small messages, so that working it out does not hold up everything else for long. */
const COST_PER_COMMIT = 2_000;
/** After a commit that found no room, the next one is tried after so long, in ms. */
const FULL_MS = 250;

export interface CommitQueueOptions {
  readonly database: Database;
  readonly idempotencyMs: number;
  readonly now: () => number;
  /** Gets what has been committed, before whoever asked for it is answered. */
  readonly onStored: (messages: readonly StoredMessage[]) => void;
  readonly onError: (error: unknown) => void;
}

interface Job {
  readonly room: RoomName;
  readonly cost: number;
  /** Says what to do, and gives what to resolve with once that is committed. */
  readonly plan: (log: LogWriter) => () => void;
  readonly reject: (error: unknown) => void;
}

interface Planned {
  readonly jobs: readonly Job[];
  readonly settle: readonly (() => void)[];
  readonly added: readonly StoredMessage[];
  readonly writes: readonly Write[];
}

/** Gathers what is asked for while a commit is under way into the next one. */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  readonly #jobs: Job[] = [];
  readonly #steps: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined;
  #closed = false;
  /** A write that failed for another reason than lack of room: what came after it could not be relied on. */
  #failure: HubError | undefined;
  #fullUntil = 0;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
  }

  /**
   * Does something to a room's log, in the order of the calls; resolves when it is committed.
   *
   * @throws HubError `store_full` if it certainly did not happen
   */
  add<T>(room: RoomName, work: (log: LogWriter) => T, cost = 1): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.assertUsable();
      assertShort(room);
      const plan = (log: LogWriter): (() => void) => {
        const result = work(log);
        return () => resolve(result);
      };
      this.#jobs.push({ room, cost, plan, reject });
      this.#run();
    });
  }

  /** Makes a commit of its own, between the others. */
  addStep(step: () => readonly Write[]): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#steps.push(async () => {
        try {
          if (this.#failure !== undefined) throw this.#failure;
          const writes = step();
          if (writes.length > 0) await this.#commit(writes);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
      this.#run();
    });
  }

  /** Finishes what was asked for, and takes no more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  /** @throws HubError that the next call of `add` would be refused with */
  assertUsable(): void {
    if (this.#closed) throw new HubError("unavailable", "the store has been closed");
    if (this.#failure !== undefined) throw this.#failure;
    if (performance.now() < this.#fullUntil) throw storeFull();
  }

  #run(): void {
    this.#running ??= this.#commitAll();
  }

  async #commitAll(): Promise<void> {
    try {
      while (this.#jobs.length + this.#steps.length > 0) {
        // All that is asked for in one turn goes together, also what answers to the commit before ask for.
        await setImmediate();
        await this.#commitJobs(this.#takeJobs());
        await this.#steps.shift()?.();
      }
    } finally {
      // In the same turn as the last look at the queue: what comes right after it must find nobody at work.
      this.#running = undefined;
    }
  }

  #takeJobs(): Job[] {
    let sum = 0;
    const end = this.#jobs.findIndex(({ cost }) => (sum += cost) > COST_PER_COMMIT);
    return this.#jobs.splice(0, end < 0 ? this.#jobs.length : Math.max(1, end));
  }

  async #commitJobs(jobs: readonly Job[]): Promise<void> {
    const planned = this.#plan(jobs);
    if (planned.length === 0) return;
    try {
      await this.#commit(planned.flatMap(({ writes }) => writes));
    } catch (error) {
      for (const plan of planned) plan.jobs.forEach(({ reject }) => reject(error));
      return;
    }
    for (const { added } of planned) this.#options.onStored(added);
    for (const { settle } of planned) settle.forEach((tell) => tell());
  }

  #plan(jobs: readonly Job[]): Planned[] {
    const { database, idempotencyMs, now } = this.#options;
    const byRoom = new Map<RoomName, Job[]>();
    for (const job of jobs) {
      const others = byRoom.get(job.room);
      if (others === undefined) byRoom.set(job.room, [job]);
      else others.push(job);
    }
    const planned: Planned[] = [];
    const present = now();
    for (const [room, own] of byRoom) {
      try {
        if (this.#failure !== undefined) throw this.#failure;
        const log = new LogWriter(database, room, idempotencyMs, present);
        const settle = own.map(({ plan }) => plan(log));
        planned.push({ jobs: own, settle, added: log.added, writes: log.writes() });
      } catch (error) {
        const refusal = toHubError(error);
        own.forEach(({ reject }) => reject(refusal));
      }
    }
    return planned;
  }

  async #commit(writes: readonly Write[]): Promise<void> {
    try {
      await this.#options.database.commit(writes);
    } catch (cause) {
      if (cause instanceof StoreFull) {
        this.#fullUntil = performance.now() + FULL_MS;
        throw storeFull(cause);
      }
      const message = "the data folder can't be written any more; the hub's log has the reason";
      this.#failure = new HubError("unavailable", message, { cause });
      this.#options.onError(this.#failure);
      throw this.#failure;
    }
  }
}

function assertShort(room: RoomName): void {
  if (Buffer.byteLength(room) > LONGEST_NAME_BYTES)
    throw new HubError("bad_room", `on disk a room's name has ${LONGEST_NAME_BYTES} bytes at most`);
}

function storeFull(cause?: unknown): HubError {
  return new HubError("store_full", "the disk has no room left; nothing was stored", { cause });
}
