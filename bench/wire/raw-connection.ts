import { connect, type Socket } from "node:net";
import { nowMicros } from "./message.ts";

/** All connections read into this one: whoever is given it is done with it before the next read. */
const buffer = Buffer.allocUnsafe(256 * 1024);
const HEADERS_END = "\r\n\r\n";

/** Gets all bytes after the headers. @param now in µs */
export type Consumer = (chunk: Buffer, now: number) => void;

/** What a connection tells of itself. */
interface ConnectionEvents {
  readonly onBytes: Consumer;
  /** Is called once, also after `end`. */
  readonly onEnd: (error: Error) => void;
}

/**
 * One request over a bare TCP connection, and what comes after the headers of its answer, for processes that hold
 * thousands: no parser, no buffers of its own.
 */
export class RawConnection {
  readonly #socket: Socket;
  readonly #status: string;
  readonly #events: ConnectionEvents;
  #head: Buffer | undefined = Buffer.alloc(0);
  #hasEnded = false;

  /** @param request its first line and headers, without `Host` @param status that the answer has to have */
  constructor(
    url: URL,
    { request, status }: { readonly request: readonly string[]; readonly status: number },
    events: ConnectionEvents,
  ) {
    this.#status = ` ${status} `;
    this.#events = events;
    this.#socket = connect({
      port: Number(url.port),
      host: url.hostname,
      noDelay: true,
      onread: {
        buffer,
        callback: (length) => {
          this.#onBytes(buffer.subarray(0, length));
          return true;
        },
      },
    });
    this.#socket.on("error", (error) => this.end(error));
    this.#socket.on("close", () => this.end(new Error("the server has closed the connection")));
    this.#socket.write(`${[...request, `Host: ${url.host}`].join("\r\n")}${HEADERS_END}`);
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Reads nothing more. */
  pause(): void {
    this.#socket.pause();
  }

  end(error: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#socket.destroy();
    this.#events.onEnd(error);
  }

  #onBytes(chunk: Buffer): void {
    if (this.#head === undefined) return this.#events.onBytes(chunk, nowMicros());
    const bytes = Buffer.concat([this.#head, chunk]);
    this.#head = bytes;
    const end = bytes.indexOf(HEADERS_END);
    if (end === -1) return;
    const status = bytes.toString("latin1", 0, bytes.indexOf("\r\n"));
    if (!status.includes(this.#status)) return this.end(new Error(`the server answers ${status}`));
    this.#head = undefined;
    this.#events.onBytes(bytes.subarray(end + HEADERS_END.length), nowMicros());
  }
}
