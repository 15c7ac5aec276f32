import { io, type Socket } from "socket.io-client";
import { errorFromBody, HubError, type ErrorCode } from "../../shared/errors.ts";
import type { Closing, ClosingCode, Reply } from "../../shared/protocol.ts";
import { Backoff } from "./backoff.ts";

/** Whether the hub is there: for the first time, now, again, or never more. */
export type ClientStatus = "connecting" | "connected" | "reconnecting" | "closed";

export interface ConnectionHandler {
  onStatus(status: ClientStatus, error: HubError | undefined): void;
  /** An attempt failed, or a connection was lost. */
  onError(error: HubError): void;
}

/** A connection that lasted so long was a good one: the next pause is a short one again, in ms. */
const STABLE_MS = 5_000;
/** A request without an answer for so long is taken for lost, in ms. */
const ANSWER_MS = 10_000;

/** One Socket.IO connection that comes back by itself, after pauses of its own and not socket.io-client's. */
export class Connection {
  readonly socket: Socket;
  readonly #identify: () => Promise<object>;
  readonly #handler: ConnectionHandler;
  readonly #backoff = new Backoff();
  /** What waits for a connection or for time to pass; called with a reason if it waits in vain. */
  readonly #waiting = new Set<(error?: HubError) => void>();
  #status: ClientStatus = "connecting";
  #error: HubError | undefined = unavailable("there is no connection yet");
  #closing: Closing | undefined;
  #connectedAt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /** @param identify gives what each handshake says */
  constructor(url: string, identify: () => Promise<object>, handler: ConnectionHandler) {
    this.#identify = identify;
    this.#handler = handler;
    this.socket = io(url, {
      transports: ["websocket", "polling"],
      // Without it the second would never be tried, where something on the way takes no WebSockets.
      tryAllTransports: true,
      autoConnect: false,
      forceNew: true,
      reconnection: false,
    });
    this.socket.on("connect", this.#onConnect);
    this.socket.on("disconnect", this.#onDisconnect);
    this.socket.on("connect_error", this.#onConnectError);
    this.socket.on("hub:closing", (closing: Closing) => (this.#closing = closing));
    globalThis.addEventListener?.("online", this.#onOnline);
    void this.#connect();
  }

  get status(): ClientStatus {
    return this.#status;
  }

  /** Why there is no connection; undefined while there is one. */
  get error(): HubError | undefined {
    return this.#error;
  }

  /** Sends a request and hears its reply in the turn in which it comes; never, if the connection is lost before. */
  send<T>(event: string, input: object, answer: (reply: Reply<T>) => void): void {
    this.socket.emit(event, input, answer);
  }

  /**
   * Asks once.
   *
   * @throws HubError what the hub answers; `unavailable` without a connection, or when it is lost before the answer
   */
  async ask<T>(event: string, input: object): Promise<T> {
    if (this.#status !== "connected") throw this.#error!;
    const reply = (await this.socket
      .timeout(ANSWER_MS)
      .emitWithAck(event, input)
      .catch((cause: unknown) => {
        throw unavailable("not answered: its outcome is unknown", cause);
      })) as Reply<T>;
    if (!reply.ok) throw errorFromBody(reply.error);
    return reply;
  }

  /**
   * Asks until it is answered: only what may be asked twice.
   *
   * @throws HubError, or the signal's reason
   */
  async askUntilAnswered<T>(event: string, input: object, signal?: AbortSignal): Promise<T> {
    for (;;) {
      await this.ready(signal);
      try {
        return await this.ask<T>(event, input);
      } catch (error) {
        const { retryable, retryAfterMs = 0 } = error as HubError;
        if (!retryable) throw error;
        await this.sleep(retryAfterMs * (1 + Math.random()), signal);
      }
    }
  }

  /**
   * Resolves when the hub takes requests.
   *
   * @throws HubError when it never will, or the signal's reason
   */
  async ready(signal?: AbortSignal): Promise<void> {
    while (this.#status !== "connected" || this.#closing !== undefined) await this.#wait(undefined, signal);
  }

  /** Waits so many ms. @throws HubError when the client is closed meanwhile, or the signal's reason */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#wait(ms, signal);
  }

  /** Ends the connection for good, and what waits for it. */
  close(error: HubError = new HubError("bad_request", "the client has been closed")): void {
    if (this.#status === "closed") return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#become("closed", error);
    globalThis.removeEventListener?.("online", this.#onOnline);
    this.socket.disconnect();
    this.#wake(error);
  }

  readonly #onConnect = (): void => {
    // Closed is closed, also for who connects the socket by hand.
    if (this.#status === "closed") return void this.socket.disconnect();
    this.#connectedAt = performance.now();
    this.#closing = undefined;
    this.#become("connected", undefined);
    this.#wake();
  };

  readonly #onDisconnect = (reason: string): void => {
    // What was said to a connection that was dead already must not be said to the next one, and has no answer.
    this.socket.sendBuffer = [];
    if (this.#status === "closed") return;
    if (reason === "io client disconnect") return this.close();
    if (this.#status === "connected" && performance.now() - this.#connectedAt > STABLE_MS)
      this.#backoff.reset();
    const closing = this.#closing;
    this.#closing = undefined;
    // Without a word that says otherwise, the end of the namespace is meant to last.
    if (!(closing?.reconnect ?? reason !== "io server disconnect")) {
      const text = `the hub has ended this connection: ${closing?.code ?? reason}`;
      return this.close(new HubError(codeOf(closing?.code), text));
    }
    this.#connectLater(unavailable(`the connection was lost: ${reason}`), closing?.delayMs);
  };

  readonly #onConnectError = (failed: Error & { readonly data?: unknown }): void => {
    if (this.#status === "closed") return;
    // Only the hub's own refusal ends the socket; a transport that fails does not.
    if (this.socket.active)
      return this.#connectLater(unavailable(`no connection: ${failed.message}`, failed));
    const refused =
      failed.data === undefined ? new HubError("forbidden", failed.message) : errorFromBody(failed.data);
    if (!refused.retryable) {
      this.#handler.onError(refused);
      return this.close(refused);
    }
    this.#connectLater(refused, Math.max(this.#backoff.next(), refused.retryAfterMs ?? 0));
  };

  readonly #onOnline = (): void => {
    if (this.#retry === undefined) return;
    clearTimeout(this.#retry);
    void this.#connect();
  };

  #connectLater(error: HubError, delayMs: number = this.#backoff.next()): void {
    // A transport that fails in its handshake may say so twice.
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(() => void this.#connect(), delayMs);
    this.#become(this.#connectedAt === 0 ? "connecting" : "reconnecting", error);
    this.#handler.onError(error);
  }

  async #connect(): Promise<void> {
    this.#retry = undefined;
    try {
      const identity = await this.#identify();
      if (this.#status === "closed") return;
      this.socket.auth = identity;
      this.socket.connect();
    } catch (cause) {
      if (this.#status !== "closed") this.#connectLater(unavailable("there is no token", cause));
    }
  }

  #become(status: ClientStatus, error: HubError | undefined): void {
    const changed = status !== this.#status;
    this.#status = status;
    this.#error = error;
    if (changed) this.#handler.onStatus(status, error);
  }

  #wait(ms: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      if (this.#status === "closed") return reject(this.#error!);
      const end = (error?: unknown): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#waiting.delete(wake);
        if (error === undefined) resolve();
        else reject(error);
      };
      const abort = (): void => end(signal?.reason);
      // Who waits for time to pass is not interested in a connection.
      const wake = (error?: HubError): void => {
        if (ms === undefined || error !== undefined) end(error);
      };
      const timer = ms === undefined ? undefined : setTimeout(end, ms);
      signal?.addEventListener("abort", abort);
      this.#waiting.add(wake);
    });
  }

  #wake(error?: HubError): void {
    [...this.#waiting].forEach((wake) => wake(error));
  }
}

function unavailable(message: string, cause?: unknown): HubError {
  return new HubError("unavailable", message, { cause });
}

function codeOf(code: ClosingCode | undefined): ErrorCode {
  if (code === "invalid_token") return "unauthorized";
  return code === "protocol" ? "bad_request" : "forbidden";
}
