import { RawConnection, type Consumer } from "./raw-connection.ts";

/** A stream opens later than this only if it never does, in ms. */
const PATIENCE_MS = 60_000;
/** What a stream says beside its messages while all is well. */
const HARMLESS = /^(:|retry: |event: keep-alive\n)/;

/** A reader of one room's server-sent events over a bare TCP connection. */
export class RawStream {
  readonly #connection: RawConnection;
  #consume: Consumer = () => {};
  #isOpen = false;
  #error: Error | undefined;
  #settled: () => void = () => {};
  /** Is called once, when the connection has ended without `end`. */
  onEnd: (error: Error) => void = () => {};

  /** Nothing comes before `consume` can have been called. */
  constructor(url: string, room: string) {
    const request = [
      `GET /rooms/${encodeURIComponent(room)}/events HTTP/1.1`,
      "Accept: text/event-stream",
      "Cache-Control: no-cache",
    ];
    this.#connection = new RawConnection(
      new URL(url),
      { request, status: 200 },
      { onBytes: (chunk, now) => this.#consume(chunk, now), onEnd: (error) => this.#ended(error) },
    );
  }

  consume(consumer: Consumer): void {
    this.#consume = consumer;
  }

  /** Resolves when the stream gets what comes from then on. @throws Error if it was refused */
  async opened(): Promise<void> {
    const late = setTimeout(() => this.#connection.end(new Error("the stream did not open")), PATIENCE_MS);
    await new Promise<void>((resolve) => {
      this.#settled = resolve;
      if (this.#isOpen || this.#error !== undefined) resolve();
    });
    clearTimeout(late);
    if (this.#error !== undefined) throw this.#error;
  }

  /** Takes an event that is no message. */
  onPacket(block: string | undefined): void {
    if (block?.startsWith("event: stream-open\n") === true) {
      this.#isOpen = true;
      return this.#settled();
    }
    if (block === undefined || !HARMLESS.test(block))
      this.#connection.end(new Error(`the stream says ${JSON.stringify(block)}`));
  }

  /** Reads nothing more, as a client that hangs. */
  stall(): void {
    this.#connection.pause();
  }

  /** Ends without a word. */
  end(): void {
    this.onEnd = () => {};
    this.#connection.end(new Error("the client has closed the connection"));
  }

  #ended(error: Error): void {
    this.#error = error;
    this.#settled();
    this.onEnd(error);
  }
}
