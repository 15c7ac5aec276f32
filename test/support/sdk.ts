import { expect } from "@jest/globals";
import { once } from "node:events";
import { connect as open, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { connect, HubError, type Client, type ConnectOptions, type Room } from "../../client/sdk/index.ts";
import type { Limits } from "../../shared/limits.ts";

/** A hub with these lets a test publish as fast as it can. */
export const FAST: Partial<Limits> = { messagesPerSecond: 1_000_000, messageBurst: 1_000_000 };

/** Opens SDK clients for one test, and closes them all. */
export class Clients {
  readonly #clients: Client[] = [];

  open(url: string, options?: ConnectOptions): Client {
    const client = connect(url, options);
    this.#clients.push(client);
    return client;
  }

  close(): void {
    this.#clients.splice(0).forEach((client) => client.close());
  }
}

/** Everything that a room tells, in the order in which it does. */
export interface Heard {
  /** `7` is the message at offset 7, `gap 1-6 trimmed` a gap. */
  readonly story: (number | string)[];
  readonly data: unknown[];
  readonly statuses: string[];
}

export function listen(room: Room): Heard {
  const heard: Heard = { story: [], data: [], statuses: [] };
  room.onAny((_event, data, meta) => {
    heard.story.push(meta.offset ?? "ephemeral");
    heard.data.push(data);
  });
  room.on("room:gap", ({ from, to, reason }) => heard.story.push(`gap ${from}-${to} ${reason}`));
  room.on("room:status", (status) => heard.statuses.push(status));
  return heard;
}

/** What a promise is rejected with, which has to be a HubError. */
export async function failureOf(promise: Promise<unknown>): Promise<HubError> {
  const error: unknown = await promise.then(
    (value) => value,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HubError);
  return error as HubError;
}

/** One address in front of several nodes, as a load balancer is; its clients change the node when it is told to. */
export class Balancer {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (client) => {
      const target = open(this.#port, "127.0.0.1");
      for (const [one, other] of [
        [client, target],
        [target, client],
      ] as const) {
        this.#sockets.add(one);
        one.on("error", () => other.destroy()).on("close", () => this.#sockets.delete(one));
        one.pipe(other);
      }
    });
  }

  static async start(nodeUrl: string): Promise<Balancer> {
    const server = createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new Balancer(server, Number(new URL(nodeUrl).port));
  }

  /** Resets all connections; the next ones go to this node. */
  moveTo(nodeUrl: string): void {
    this.#port = Number(new URL(nodeUrl).port);
    this.#sockets.forEach((socket) => socket.resetAndDestroy());
  }

  async close(): Promise<void> {
    this.#sockets.forEach((socket) => socket.destroy());
    this.#server.close();
    await once(this.#server, "close");
  }
}
