import { connect, type Socket } from "node:net";
import { EVENT } from "../wire/message.ts";
import type { Lane } from "./lane.ts";

/** How messages stand in a body: one, a JSON array, or a line each (NDJSON). */
export type Body = "single" | "array" | "lines";

const HEADERS_END = "\r\n\r\n";
const LAST_CHUNK = "\r\n0\r\n\r\n";
const ERROR = '"error"';
/** A server closes a connection that has been left alone for 5 s. One that is nearly as old may be closing already, in ms. */
const STALE_MS = 3_000;

/**
 * One keep-alive connection with one POST at a time, written by hand to cost next to nothing. A server may close it while
 * nothing is under way, as one does that has been left alone for some seconds.
 */
export class HttpLane implements Lane {
  #socket: Socket | undefined;
  #usedAt = performance.now();
  readonly #url: URL;
  readonly #body: Body;
  #reply: Buffer = Buffer.alloc(0);
  #waiting: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #error: Error | undefined;

  constructor(url: string, body: Body) {
    this.#url = new URL(url);
    this.#body = body;
    this.#socket = this.#connect();
  }

  send(room: string, datas: readonly string[]): Promise<void> {
    const messages = datas.map((data) => `{"event":"${EVENT}","data":${data}}`);
    const isLines = this.#body === "lines";
    const text = this.#body === "array" ? `[${messages.join(",")}]` : messages.join("\n");
    const type = isLines ? "application/x-ndjson" : "application/json";
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) return reject(this.#error);
      this.#waiting = { resolve, reject };
      const path = `/rooms/${encodeURIComponent(room)}/messages`;
      // The data is ASCII, so its length is that of its bytes.
      if (performance.now() - this.#usedAt > STALE_MS) this.#leave();
      this.#socket ??= this.#connect();
      this.#socket.write(
        `POST ${path} HTTP/1.1\r\nHost: ${this.#url.host}\r\nContent-Type: ${type}\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
        "latin1",
      );
    });
  }

  close(): void {
    this.#error ??= new Error("the lane is closed");
    this.#leave();
  }

  #leave(): void {
    this.#socket?.removeAllListeners("close").destroy();
    this.#socket = undefined;
  }

  #connect(): Socket {
    const { hostname, port } = this.#url;
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.on("data", (chunk) => this.#onBytes(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => {
      if (this.#waiting !== undefined)
        this.#fail(new Error("the server has closed a publisher's connection"));
      this.#socket = undefined;
    });
    return socket;
  }

  #onBytes(chunk: Buffer): void {
    this.#reply = this.#reply.length === 0 ? chunk : Buffer.concat([this.#reply, chunk]);
    const reply = this.#reply;
    const body = reply.indexOf(HEADERS_END) + HEADERS_END.length;
    if (body < HEADERS_END.length) return;
    const head = reply.toString("latin1", 0, body);
    const length = /^content-length: (\d+)/im.exec(head)?.[1];
    const isWhole =
      length === undefined
        ? reply.indexOf(LAST_CHUNK, body - 2) === reply.length - LAST_CHUNK.length
        : reply.length >= body + Number(length);
    if (!isWhole) return;
    this.#reply = Buffer.alloc(0);
    this.#usedAt = performance.now();
    const isFine = head.startsWith("HTTP/1.1 20") && !reply.includes(ERROR, body);
    if (!isFine)
      return this.#fail(new Error(`a publish was answered with ${reply.toString("utf8").slice(0, 500)}`));
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve();
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#waiting?.reject(this.#error);
    this.#waiting = undefined;
  }
}
