import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { RespPushes } from "./resp-pushes.ts";

/**
 * `pass` forwards; `hang` accepts and forwards nothing, until the mode changes; `hang-requests` and `hang-answers` do
 * so in one direction only; `reset` resets each new connection; `refuse` listens no longer; `delay` forwards each piece
 * `delayMs` later; `lose` forwards what comes in and resets the connection in place of the answer; `drop-pushes`, for a
 * Redis behind the proxy, forwards everything but the messages of subscriptions.
 */
export type FaultMode =
  "pass" | "hang" | "hang-requests" | "hang-answers" | "reset" | "refuse" | "delay" | "lose" | "drop-pushes";

/** Is a TCP proxy in front of a port of this machine that fails in the ways in which networks do. */
export class FaultProxy {
  readonly port: number;
  /** Where new connections go; may change, as a process that is started again takes another port. */
  targetPort: number;
  delayMs = 20;
  /** Connections that were ever accepted. */
  accepted = 0;
  /** Answers that `lose` took away, and messages that `drop-pushes` did. */
  lost = 0;
  readonly #server: Server;
  readonly #isRedis: boolean;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();
  #mode: FaultMode = "pass";

  private constructor(targetPort: number, server: Server, isRedis: boolean) {
    this.targetPort = targetPort;
    this.#server = server;
    this.#isRedis = isRedis;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (client) => this.#accept(client));
  }

  /** @param isRedis a Redis is behind it: only then `drop-pushes` knows what to drop */
  static async start(targetPort: number, isRedis = false): Promise<FaultProxy> {
    // Half-open, so that one side's end is forwarded and does not cut off the other's answer.
    const server = createServer({ allowHalfOpen: true });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new FaultProxy(targetPort, server, isRedis);
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size / 2;
  }

  /** Changes what happens from now on, to open connections too. */
  async set(mode: FaultMode): Promise<void> {
    const before = this.#mode;
    this.#mode = mode;
    if (mode === before) return;
    for (const wake of this.#waiting) wake();
    if (mode === "refuse") this.#server.close();
    if (before === "refuse") await once(this.#server.listen(this.port, "127.0.0.1"), "listening");
  }

  /** Resets all connections, on both sides. */
  resetAll(): void {
    for (const socket of this.#sockets) reset(socket);
  }

  async close(): Promise<void> {
    this.#mode = "pass";
    for (const wake of this.#waiting) wake();
    this.resetAll();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #accept(client: Socket): void {
    this.accepted += 1;
    if (this.#mode === "reset") return reset(client);
    const target = connect({ port: this.targetPort, host: "127.0.0.1", allowHalfOpen: true });
    this.#forward(client, target, false);
    this.#forward(target, client, true);
  }

  #forward(from: Socket, to: Socket, isAnswer: boolean): void {
    this.#sockets.add(from);
    const values = isAnswer && this.#isRedis ? new RespPushes() : undefined;
    // One piece after the other, however long each is held up.
    let tail = Promise.resolve();
    const afterwards = (act: () => void): void => {
      tail = tail.then(async () => {
        while (this.#holds(isAnswer) && !to.destroyed) await this.#change(to);
        if (this.#mode === "delay") await sleep(this.delayMs);
        if (!to.destroyed) act();
      });
    };
    from.on("data", (piece) => {
      afterwards(() => {
        if (isAnswer && this.#mode === "lose") {
          this.lost += 1;
          reset(from);
          return reset(to);
        }
        if (values === undefined) return void to.write(piece);
        const whole = [...values.take(piece)];
        const kept = whole.filter(({ isMessage }) => !isMessage || this.#mode !== "drop-pushes");
        this.lost += whole.length - kept.length;
        return void to.write(Buffer.concat(kept.map(({ bytes }) => bytes)));
      });
    });
    from.on("end", () => afterwards(() => to.end()));
    from.on("error", () => reset(to));
    from.on("close", () => {
      this.#sockets.delete(from);
      if (from.errored !== null || !from.readableEnded) to.destroy();
    });
  }

  #holds(isAnswer: boolean): boolean {
    return this.#mode === "hang" || this.#mode === (isAnswer ? "hang-answers" : "hang-requests");
  }

  /** Resolves when the mode changes or the connection ends. */
  async #change(to: Socket): Promise<void> {
    await new Promise<void>((resolve) => {
      const over = (): void => {
        this.#waiting.delete(over);
        to.off("close", over);
        resolve();
      };
      this.#waiting.add(over);
      to.once("close", over);
    });
  }
}

/** A socket that has said its last word can't be reset any more: Node would keep its handle open for ever. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
