import { setTimeout as sleep } from "node:timers/promises";
import { HubError } from "../../../shared/errors.ts";
import type { Argument } from "./client.ts";
import type { Connection } from "./connection.ts";
import { Masters, type MastersOptions } from "./masters.ts";
import { unavailable } from "./store-error.ts";

/** A slot that moves has its keys in two places, often for some ms only. */
const AGAIN_MS = 25;
/** More of them mean that the masters do not agree yet. */
const QUICK_REDIRECTS = 3;
/** Where the first key of a command stands, if not right behind its name. */
const KEY_AT: Readonly<Record<string, number>> = { EVAL: 3, EVALSHA: 3, PUBSUB: 2 };

/** Sends commands to Redis: in a cluster each to the master of its key, wherever that goes. */
export class Commands {
  readonly masters: Masters;
  readonly #ms: number;
  #closed = false;

  constructor(options: MastersOptions) {
    this.masters = new Masters(options);
    this.#ms = options.limits.redisCommandMs;
  }

  /** Sends a command with a key, gives its reply, and rejects with a HubError after `ms`. */
  run(args: readonly Argument[], ms?: number): Promise<unknown> {
    return this.runAt(keyOf(args), args, ms);
  }

  /**
   * Sends many commands at once and gives their replies; those to a part of a cluster that can't be asked have the
   * error instead. Rejects if none can be.
   */
  async runAll(commands: readonly (readonly Argument[])[]): Promise<readonly unknown[]> {
    const replies = new Array<unknown>(commands.length);
    const groups = new Map<Connection | undefined, number[]>();
    commands.forEach((args, i) => {
      const connection = this.masters.of(keyOf(args));
      const group = groups.get(connection);
      if (group === undefined) groups.set(connection, [i]);
      else group.push(i);
    });
    const runs = [...groups].map(async ([connection, indexes]) => {
      const some = indexes.map((i) => commands[i]!);
      const answers = await this.#runSome(connection, some);
      indexes.forEach((i, at) => (replies[i] = answers[at]));
    });
    await Promise.all(runs);
    const failure = replies.find((reply) => reply instanceof HubError);
    if (failure !== undefined && replies.every((reply) => reply instanceof HubError)) throw failure;
    return replies;
  }

  /** As `run`, to the master of another key than the command's own. */
  async runAt(key: string, args: readonly Argument[], ms: number = this.#ms): Promise<unknown> {
    const end = performance.now() + ms;
    let asked: Connection | undefined;
    for (let redirects = 0; ; redirects += 1) {
      const connection = asked ?? this.#masterOf(key);
      // Timers drop fractions: a first attempt must not give up a moment before its connection is known to hang.
      const left = Math.max(1, Math.ceil(end - performance.now()));
      try {
        return await (asked === undefined ? connection.run(args, left) : connection.runAsked(args, left));
      } catch (error) {
        asked = await this.#redirected(error, connection, redirects, end);
      }
    }
  }

  /** Resolves if more than half of the servers answer: of a cluster, the rest has rooms that can be served. */
  async ping(): Promise<void> {
    const pings = await Promise.allSettled(this.masters.all().map((connection) => connection.run(["PING"])));
    const failures = pings.filter((ping) => ping.status === "rejected");
    if (this.#closed || failures.length * 2 >= pings.length)
      throw failures[0]?.reason ?? unavailable("Redis is away");
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.masters.close();
  }

  async #runSome(
    connection: Connection | undefined,
    commands: readonly (readonly Argument[])[],
  ): Promise<readonly unknown[]> {
    try {
      return await (connection ?? this.#masterOf(keyOf(commands[0]!))).runAll(commands);
    } catch (error) {
      const hasMoved = connection !== undefined && this.masters.redirect(error, connection) !== undefined;
      if (!hasMoved) {
        this.masters.doubt();
        return commands.map(() => error);
      }
      return Promise.all(commands.map((args) => this.run(args).catch((failure: unknown) => failure)));
    }
  }

  #masterOf(key: string): Connection {
    if (this.#closed) throw unavailable("the connection to Redis has been closed");
    const connection = this.masters.of(key);
    if (connection !== undefined) return connection;
    this.masters.doubt();
    throw unavailable(
      this.masters.isCluster ? "no master of the Redis Cluster has the slot" : "Redis is away",
    );
  }

  /** Follows where an error sends to: gives whom to ask this once, or undefined for the master as it is known now. */
  async #redirected(
    error: unknown,
    from: Connection,
    redirects: number,
    end: number,
  ): Promise<Connection | undefined> {
    const redirect = this.masters.redirect(error, from);
    if (redirect === undefined || performance.now() + AGAIN_MS > end) {
      if (error instanceof HubError && error.retryable) this.masters.doubt();
      throw error;
    }
    if (redirect.kind === "again" || redirects >= QUICK_REDIRECTS) await sleep(AGAIN_MS);
    if (redirect.kind === "again") return undefined;
    const master = await this.masters.at(redirect.address);
    return redirect.kind === "asked" ? master : undefined;
  }
}

function keyOf(args: readonly Argument[]): string {
  return String(args[KEY_AT[String(args[0])] ?? 1]);
}
