import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { PushFilter } from "./push-filter.ts";
import { until } from "./wait.ts";

/**
 * `pass` forwards; `hang` accepts and forwards nothing, until the mode changes; `reset` resets each new connection;
 * `refuse` listens no longer; `delay` forwards each piece `delayMs` later; `lose` forwards what comes in and resets the
 * connection in place of the answer; `hangRequests` and `hangAnswers` are `hang` in one direction; `dropPushes` swallows
 * what a Redis pushes to its subscribers and passes its answers.
 */
export type FaultMode =
  "pass" | "hang" | "hangRequests" | "hangAnswers" | "reset" | "refuse" | "delay" | "lose" | "dropPushes";

/** Is a TCP proxy in front of a port of this machine that fails in the ways in which networks do. */
export class FaultProxy {
  readonly port: number;
  delayMs = 20;
  /** Connections that were ever accepted. */
  accepted = 0;
  /** Answers that `lose` took away. */
  lost = 0;
  /** Messages that `dropPushes` swallowed. */
  get dropped(): number {
    return this.#pushes.reduce((sum, { dropped }) => sum + dropped, 0);
  }

  readonly #pushes: PushFilter[] = [];
  readonly #targetPort: number;
  readonly #isRedis: boolean;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #mode: FaultMode = "pass";

  private constructor(targetPort: number, server: Server, isRedis: boolean) {
    this.#targetPort = targetPort;
    this.#isRedis = isRedis;
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (client) => this.#accept(client));
  }

  /** @param options `redis`: the target speaks RESP3, which `dropPushes` needs */
  static async start(targetPort: number, { redis = false } = {}): Promise<FaultProxy> {
    // Half-open, so that one side's end is forwarded and does not cut off the other's answer.
    const server = createServer({ allowHalfOpen: true });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new FaultProxy(targetPort, server, redis);
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
    if (mode === "refuse") this.#server.close();
    if (before === "refuse") await once(this.#server.listen(this.port, "127.0.0.1"), "listening");
  }

  /** Resets all connections, on both sides. */
  resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.#mode = "pass";
    this.resetAll();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #accept(client: Socket): void {
    this.accepted += 1;
    if (this.#mode === "reset") return void client.resetAndDestroy();
    const target = connect({ port: this.#targetPort, host: "127.0.0.1", allowHalfOpen: true });
    this.#forward(client, target, false);
    this.#forward(target, client, true);
  }

  #forward(from: Socket, to: Socket, isAnswer: boolean): void {
    this.#sockets.add(from);
    // One piece after the other, however long each is held up.
    let tail = Promise.resolve();
    const pushes = isAnswer && this.#isRedis ? new PushFilter(() => this.#mode === "dropPushes") : undefined;
    if (pushes !== undefined) this.#pushes.push(pushes);
    const isHeldUp = (): boolean =>
      this.#mode === "hang" || this.#mode === (isAnswer ? "hangAnswers" : "hangRequests");
    const afterwards = (act: () => void): void => {
      tail = tail.then(async () => {
        if (isHeldUp()) await until(() => !isHeldUp() || to.destroyed, 60_000);
        if (this.#mode === "delay") await sleep(this.delayMs);
        if (!to.destroyed) act();
      });
    };
    from.on("data", (piece) => {
      afterwards(() => {
        if (!isAnswer || this.#mode !== "lose") return void to.write(pushes?.pass(piece) ?? piece);
        this.lost += 1;
        from.resetAndDestroy();
        return void to.resetAndDestroy();
      });
    });
    from.on("end", () => afterwards(() => to.end()));
    from.on("error", () => to.resetAndDestroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      if (from.errored !== null || !from.readableEnded) to.destroy();
    });
  }
}
