import { HubError } from "../../shared/errors.ts";
import { FRAME_BYTES } from "../../shared/limits.ts";
import { encodeData } from "../../shared/message.ts";
import { randomId } from "../../shared/message-id.ts";
import type { PublishReply, PublishRequest } from "../../shared/protocol.ts";
import { utf8Length } from "../../shared/utf8.ts";
import { Backoff } from "./backoff.ts";
import type { Connection } from "./connection.ts";

export interface PublishOptions {
  /** 1-64 of A-Z a-z 0-9 _ . : -; one is made if there is none. The same id is the same message. */
  readonly id?: string;
  /** Delivered to those who are there and never kept. It does not wait for a connection: without one it is `unavailable`. */
  readonly ephemeral?: boolean;
  /** Only for ephemeral messages: false leaves this connection out. */
  readonly echo?: boolean;
  /** Gives up after so long. Without it a kept message waits for as long as the client is open. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export type KeptOptions = PublishOptions & { readonly ephemeral?: false };
export type EphemeralOptions = PublishOptions & { readonly ephemeral: true };

/** What may wait for its answer at the same time. */
export interface QueueLimits {
  readonly messages: number;
  /** Of their data as JSON, in UTF-8. */
  readonly bytes: number;
}

interface Entry {
  readonly request: PublishRequest;
  /** Once sent without an answer, the outcome is unknown from then on. */
  sentAt?: number;
  settled: boolean;
  readonly succeed: (reply: PublishReply) => void;
  readonly fail: (error: HubError) => void;
}

/** A frame over the hub's limit ends the connection, so what can't fit is never sent: it would be sent again and again. */
const ENCODABLE = { dataBytes: FRAME_BYTES - 4_096, dataDepth: 1_000 };
/** The hub knows an id for 10 min: later, the same message would be a second one, in ms. */
const REPEATABLE_MS = 540_000;
/** A bug of the hub is not waited out for ever. */
const INTERNAL_TRIES = 5;

/**
 * The messages on their way out. Each has its id before it is first sent, and is sent until it is answered: one at a time
 * per room, since a later one that gets through while an earlier one is tried again would change their order.
 */
export class Outbox {
  readonly #connection: Connection;
  readonly #limits: QueueLimits;
  readonly #lanes = new Map<string, Entry[]>();
  #messages = 0;
  #bytes = 0;
  /** The allowance is the connection's, so all rooms wait. */
  #pausedUntil = 0;

  constructor(connection: Connection, limits: QueueLimits) {
    this.#connection = connection;
    this.#limits = limits;
  }

  publish(
    room: string,
    event: string,
    data: unknown,
    { timeoutMs, signal, ...options }: PublishOptions,
  ): Promise<PublishReply> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) throw gaveUp(false, signal.reason);
      if (this.#connection.status === "closed") throw this.#connection.error!;
      const json = encodeData(data, ENCODABLE);
      const bytes = utf8Length(json);
      if (this.#messages + 1 > this.#limits.messages || this.#bytes + bytes > this.#limits.bytes)
        throw new HubError(
          "store_full",
          `too much waits for the hub already: ${this.#messages} messages, ${this.#bytes} bytes`,
        );
      this.#messages += 1;
      this.#bytes += bytes;

      const settle = (): boolean => {
        if (entry.settled) return false;
        entry.settled = true;
        this.#messages -= 1;
        this.#bytes -= bytes;
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        return true;
      };
      // Every attempt says the same, whatever happens to the caller's object meanwhile.
      const request = { id: randomId(), ...options, room, event, data: JSON.parse(json) as unknown };
      const entry: Entry = {
        request,
        settled: false,
        succeed: (reply) => settle() && resolve(reply),
        fail: (error) => settle() && reject(error),
      };
      const giveUp = (cause: unknown): void => {
        entry.fail(gaveUp(entry.sentAt !== undefined, cause));
        this.#forget(entry);
      };
      const abort = (): void => giveUp(signal?.reason);
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => giveUp(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      signal?.addEventListener("abort", abort);
      if (options.ephemeral === true) void this.#sendOnce(entry);
      else this.#enqueue(entry);
    });
  }

  #enqueue(entry: Entry): void {
    const { room } = entry.request;
    const lane = this.#lanes.get(room);
    if (lane !== undefined) return void lane.push(entry);
    const fresh = [entry];
    this.#lanes.set(room, fresh);
    void this.#work(room, fresh);
  }

  /** Takes an entry that nobody waits for any more out of its lane; the first one may be on its way. */
  #forget(entry: Entry): void {
    const lane = this.#lanes.get(entry.request.room) ?? [];
    const index = lane.indexOf(entry);
    if (index > 0) lane.splice(index, 1);
  }

  async #work(room: string, lane: Entry[]): Promise<void> {
    for (let entry = lane[0]; entry !== undefined; entry = lane[0]) {
      await this.#deliver(entry);
      lane.shift();
    }
    this.#lanes.delete(room);
  }

  async #deliver(entry: Entry): Promise<void> {
    const backoff = new Backoff();
    for (let tries = 1; !entry.settled; tries += 1) {
      try {
        await this.#turn();
        if (entry.settled) return;
        entry.sentAt ??= Date.now();
        if (Date.now() - entry.sentAt > REPEATABLE_MS) return entry.fail(gaveUp(true));
        entry.succeed(await this.#connection.ask<PublishReply>("publish", entry.request));
      } catch (error) {
        const refused = error as HubError;
        const { code, retryable, retryAfterMs = 0 } = refused;
        if (this.#connection.status === "closed") return entry.fail(this.#ended(entry));
        if (!retryable || (code === "internal" && tries >= INTERNAL_TRIES)) return entry.fail(refused);
        if (code === "rate_limited") this.#pausedUntil = performance.now() + retryAfterMs;
        // After a lost connection it goes on with the next one, which is worth no pause.
        else if (this.#connection.status === "connected")
          await this.#connection.sleep(Math.max(backoff.next(), retryAfterMs)).catch(() => {});
      }
    }
  }

  async #turn(): Promise<void> {
    for (;;) {
      await this.#connection.ready();
      const pause = this.#pausedUntil - performance.now();
      if (pause <= 0) return;
      await this.#connection.sleep(pause);
    }
  }

  async #sendOnce(entry: Entry): Promise<void> {
    try {
      entry.sentAt = Date.now();
      entry.succeed(await this.#connection.ask<PublishReply>("publish", entry.request));
    } catch (error) {
      entry.fail(error as HubError);
    }
  }

  #ended({ sentAt }: Entry): HubError {
    return sentAt === undefined ? this.#connection.error! : gaveUp(true, this.#connection.error);
  }
}

function gaveUp(wasSent: boolean, cause?: unknown): HubError {
  const outcome = wasSent ? "sent, but not answered: its outcome is unknown" : "not sent";
  return new HubError("unavailable", `the message was ${outcome}`, { cause });
}
