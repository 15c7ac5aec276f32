import { randomBytes } from "node:crypto";
import { ErrorReply } from "redis";
import type { Connection } from "./connection.ts";
import { storeError, unavailable } from "./store-error.ts";

const BEAT_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export interface PushProbeOptions {
  /** The connection that receives. */
  readonly connection: Connection;
  readonly onError: (error: unknown) => void;
  /** The probe of the connection that was there before, to the same server. */
  readonly before?: PushProbe | undefined;
}

/**
 * Finds out that a connection which answers has gone deaf: publishes to a channel of this process over the connection
 * that subscribes to it. Redis answers and pushes over one stream of bytes, so once a later command is answered, what
 * was published before has come or is lost; then the connection is made anew. No clock decides, so a process that was
 * busy or stopped draws no wrong conclusion.
 */
export class PushProbe {
  readonly #connection: Connection;
  readonly #onError: (error: unknown) => void;
  readonly #channel = `roomcast:probe:${randomBytes(8).toString("hex")}`;
  #timer: NodeJS.Timeout | undefined;
  #subscribed = false;
  #beating = false;
  #heard = 0;
  /** How often in a row it was in vain, and until when (`performance.now()`) nothing is done about it. */
  #losses = 0;
  #restsUntil = 0;

  constructor({ connection, onError, before }: PushProbeOptions) {
    this.#connection = connection;
    this.#onError = onError;
    if (before === undefined) return;
    this.#losses = before.#losses;
    this.#restsUntil = before.#restsUntil;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#beat(), BEAT_MS).unref();
    void this.#beat();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #beat(): Promise<void> {
    if (this.#beating || !this.#connection.usable || performance.now() < this.#restsUntil) return;
    this.#beating = true;
    try {
      if (!this.#subscribed) await this.#subscribe();
      if (await this.#isDeaf()) await this.#replace();
    } catch (error) {
      // A connection that is lost is replaced without this; what an ACL forbids stays forbidden, and is said once.
      if (error instanceof ErrorReply) {
        this.stop();
        this.#onError(storeError(error));
      }
    } finally {
      this.#beating = false;
    }
  }

  async #subscribe(): Promise<void> {
    const onMessage = (): void => void (this.#heard += 1);
    await this.#connection.watch((client) => client.subscribe(this.#channel, onMessage, true));
    this.#subscribed = true;
  }

  async #isDeaf(): Promise<boolean> {
    const { generation } = this.#connection;
    const before = this.#heard;
    await this.#connection.watch((client) => client.sendCommand(["PUBLISH", this.#channel, ""]));
    await this.#connection.watch((client) => client.sendCommand(["PING"]));
    if (this.#heard === before && generation === this.#connection.generation) return true;
    this.#losses = 0;
    return false;
  }

  async #replace(): Promise<void> {
    // Where every connection is deaf, the comparison with the log keeps rooms going.
    this.#restsUntil = performance.now() + Math.min(LONGEST_PAUSE_MS, BEAT_MS * 2 ** this.#losses);
    this.#losses += 1;
    this.#onError(unavailable("Redis answers, but pushes nothing: its connection is made anew"));
    await this.#connection.replace();
  }
}
