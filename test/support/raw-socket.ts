import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { until } from "./wait.ts";

/** A client of Socket.IO over a bare WebSocket, for the bytes themselves. */
export class RawSocket {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => (this.#bytes = Buffer.concat([this.#bytes, chunk])));
  }

  /** Connects to the namespace `/`. */
  static async open(url: string): Promise<RawSocket> {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    const raw = new RawSocket(socket);
    socket.write(
      [
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
        `Host: ${host}`,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
        "\r\n",
      ].join("\r\n"),
    );
    await until(() => raw.#bytes.includes("\r\n\r\n"));
    raw.send("40");
    await until(() => raw.#bytes.includes('40{"sid"'));
    return raw;
  }

  /** Sends a text of up to 65,535 bytes. */
  send(text: string): void {
    const payload = Buffer.from(text);
    const mask = randomBytes(4);
    const long = payload.length > 125;
    const header = Buffer.alloc(long ? 4 : 2);
    header[0] = 0x81;
    header[1] = 0x80 | (long ? 126 : payload.length);
    if (long) header.writeUInt16BE(payload.length, 2);
    this.#socket.write(Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i % 4]!)]));
  }

  /** Sends a request and waits for its acknowledgement. */
  async ask(event: string, input: object): Promise<void> {
    this.send(`421${JSON.stringify([event, input])}`);
    await this.received("431[");
  }

  /** Everything that comes from now on is what came. */
  forget(): void {
    this.#bytes = Buffer.alloc(0);
  }

  /** Waits until the text has come, and gives all that has. */
  async received(text: string): Promise<Buffer> {
    await until(() => this.#bytes.includes(text), 20_000);
    return this.#bytes;
  }

  /** Takes nothing from the network until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }
}
