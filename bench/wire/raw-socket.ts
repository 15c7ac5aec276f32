import { clientFrame, frameAt } from "./frames.ts";
import { RawConnection, type Consumer } from "./raw-connection.ts";

/** A handshake or an acknowledgement takes longer than this only if it never comes, in ms. */
const PATIENCE_MS = 60_000;
const HANDSHAKE = {
  request: [
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: cm9vbWNhc3QgYmVuY2ghIQ==",
  ],
  status: 101,
};

interface Waiting {
  readonly resolve: (packet: string) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A Socket.IO client over a bare TCP connection. Whoever reads its messages takes the bytes with `consume` and hands
 * packets that are no messages to `onPacket`.
 */
export class RawSocket {
  readonly #connection: RawConnection;
  #consume: Consumer = (chunk) => this.#split(chunk);
  #carry: Buffer = Buffer.alloc(0);
  #nextAck = 0;
  readonly #waiting = new Map<string, Waiting>();
  #error: Error | undefined;
  /** Is called once, when the connection has ended without `end`. */
  onEnd: (error: Error) => void = () => {};

  private constructor(url: URL) {
    this.#connection = new RawConnection(url, HANDSHAKE, {
      onBytes: (chunk, now) => this.#consume(chunk, now),
      onEnd: (error) => this.#ended(error),
    });
  }

  /** Connects and enters the namespace `/`. @param auth what the handshake says */
  static async open(url: string, auth?: Readonly<Record<string, string>>): Promise<RawSocket> {
    const socket = new RawSocket(new URL(url));
    await socket.#wait("0");
    socket.send(auth === undefined ? "40" : `40${JSON.stringify(auth)}`);
    const packet = await socket.#wait("4");
    if (!packet.startsWith("40")) throw new Error(`the server refuses the connection: ${packet}`);
    return socket;
  }

  send(packet: string): void {
    this.#connection.write(clientFrame(packet));
  }

  /** Sends a request and resolves with its acknowledgement. @throws Error if that says that it was refused */
  async request(event: string, data: string): Promise<Readonly<Record<string, unknown>>> {
    const id = (this.#nextAck += 1);
    const acknowledged = this.#wait(`43${id}[`);
    this.send(`42${id}["${event}",${data}]`);
    const packet = await acknowledged;
    const [reply] = JSON.parse(packet.slice(packet.indexOf("["))) as [Record<string, unknown>];
    if (reply["ok"] !== true) throw new Error(`${event} was refused: ${JSON.stringify(reply)}`);
    return reply;
  }

  consume(consumer: Consumer): void {
    this.#consume = consumer;
  }

  /** Takes a packet that is no message; undefined is the end. */
  onPacket(packet: string | undefined): void {
    if (packet === undefined) return this.#connection.end(new Error("the server has closed the connection"));
    if (packet === "2") return this.send("3");
    for (const [beginning, { resolve }] of this.#waiting) {
      if (!packet.startsWith(beginning)) continue;
      this.#waiting.delete(beginning);
      return resolve(packet);
    }
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

  /** While nobody else takes the bytes. */
  #split(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#carry, chunk]);
    let at = 0;
    for (let frame = frameAt(bytes, 0); frame !== undefined; frame = frameAt(bytes, at)) {
      this.onPacket(frame.isEnd ? undefined : bytes.toString("utf8", frame.payload, frame.end));
      at = frame.end;
    }
    this.#carry = Buffer.from(bytes.subarray(at));
  }

  async #wait(beginning: string): Promise<string> {
    if (this.#error !== undefined) throw this.#error;
    let late: NodeJS.Timeout | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#waiting.set(beginning, { resolve, reject });
        late = setTimeout(() => reject(new Error(`no packet ${beginning} came`)), PATIENCE_MS);
      });
    } finally {
      clearTimeout(late);
    }
  }

  #ended(error: Error): void {
    this.#error = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.onEnd(error);
  }
}
