import { once } from "node:events";
import { WebSocket, type ClientOptions } from "ws";
import { until } from "./wait.ts";

/** A plain WebSocket that writes down all that comes. */
export class PlainSocket {
  readonly socket: WebSocket;
  readonly frames: unknown[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** The status of an HTTP reply to the upgrade. */
  status: number | undefined;

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url.replace(/^http/, "ws"), options);
    this.socket.on("error", () => {});
    this.socket.on("unexpected-response", (request, response) => {
      this.status = response.statusCode;
      request.destroy();
    });
    this.socket.on("message", (data: Buffer) => this.frames.push(JSON.parse(data.toString())));
    this.socket.on("close", (code, reason) => (this.closed = { code, reason: reason.toString() }));
  }

  static async open(url: string, options: ClientOptions = {}): Promise<PlainSocket> {
    const plain = new PlainSocket(url, options);
    await once(plain.socket, "open");
    return plain;
  }

  send(text: string): void {
    this.socket.send(text);
  }

  async got(count: number): Promise<this> {
    await until(() => this.frames.length >= count);
    return this;
  }

  async ended(): Promise<{ readonly code: number; readonly reason: string }> {
    return until(() => this.closed);
  }
}
