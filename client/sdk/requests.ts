import type { Socket } from "socket.io-client";
import { errorFromBody, HubError } from "../../shared/errors.ts";
import type { Reply } from "../../shared/protocol.ts";

/** Asks the hub over one socket. Every request is answered in the end, also when the socket has given up for good. */
export class Requests {
  readonly #socket: Socket;
  readonly #pending = new Set<(error: HubError) => void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("connect_error", (error: Error & { readonly data?: unknown }) => {
      if (socket.active) return;
      this.end(
        error.data === undefined ? new HubError("forbidden", error.message) : errorFromBody(error.data),
      );
    });
  }

  /** Whether the socket is connected, or comes back by itself. */
  get active(): boolean {
    return this.#socket.active;
  }

  /** @throws HubError only */
  async ask<T>(event: string, input: object): Promise<T> {
    if (!this.#socket.active) throw closed();
    const reply = await new Promise<Reply<T>>((resolve, reject) => {
      this.#pending.add(reject);
      this.#socket
        .emitWithAck(event, input)
        .then(resolve, (cause: unknown) => reject(lost(cause)))
        .finally(() => this.#pending.delete(reject));
    });
    if (!reply.ok) throw errorFromBody(reply.error);
    return reply;
  }

  /** Ends what waits for an answer, or for a connection. */
  end(error: HubError = closed()): void {
    // Else they would go out after all, should the socket ever be connected again.
    this.#socket.sendBuffer = [];
    this.#pending.forEach((reject) => reject(error));
    this.#pending.clear();
  }
}

function closed(): HubError {
  return new HubError("bad_request", "the connection has been closed for good");
}

function lost(cause: unknown): HubError {
  const message = "the connection was lost before the hub answered: whether it did what was asked is unknown";
  return new HubError("unavailable", message, { cause });
}
