import type { ManagerOptions, SocketOptions } from "socket.io-client";
import type { HubOptions, RoomcastHub } from "../../server/index.ts";
import { ROUTES } from "../../server/transports/http/routes.ts";
import { Nodes, type StockClient } from "./nodes.ts";
import type { Block } from "./manual.ts";
import { until } from "./wait.ts";

/** The epochs that the manual's examples have, by room; each run has its own ones. */
const SHOWN_EPOCHS: Readonly<Record<string, string>> = {
  "chat:lobby": "9f2c41d07ab3e865",
  "stream:build-42": "51c07e9ab2d4f638",
};

/** What was said in the lobby before most of the examples. */
const TALK = ["hello", "anyone here?", "yes"];

export type ClientOptions = Partial<ManagerOptions & SocketOptions>;

/** A client with all events that it gets, as the manual writes them. */
export interface Listener extends StockClient {
  readonly events: (readonly unknown[])[];
  /** Waits for the first event of this name, about this room if one is given. */
  event(name: string, room?: string): Promise<unknown>;
}

/** A hub of its own for one check, and the manual's blocks in terms of it. */
export class Stage {
  url = "";
  hub!: RoomcastHub;
  readonly #nodes = new Nodes();
  readonly #blocks: ReadonlyMap<string, Block>;
  /** The requests of the manual that the check has sent. */
  readonly used = new Set<string>();
  #epochs: readonly (readonly [shown: string, real: string])[] = [];

  constructor(blocks: ReadonlyMap<string, Block>) {
    this.#blocks = blocks;
  }

  async start(options: HubOptions = {}): Promise<this> {
    Object.assign(this, await this.#nodes.start(options));
    const pairs = Object.entries(SHOWN_EPOCHS).map(async ([room, shown]) => {
      const reply = await fetch(`${this.url}/rooms/${encodeURIComponent(room)}`);
      const { position } = (await reply.json()) as { position: { epoch: string } };
      return [shown, position.epoch] as const;
    });
    this.#epochs = await Promise.all(pairs);
    return this;
  }

  async client(options: ClientOptions = {}): Promise<Listener> {
    const client = this.connecting(options);
    await until(() => client.socket.connected);
    return client;
  }

  connecting(options: ClientOptions = {}): Listener {
    const client = this.#nodes.connecting(this.url, options);
    const events: unknown[][] = [];
    client.socket.onAny((...event: unknown[]) => events.push(event));
    const event = (name: string, room?: string): Promise<unknown> =>
      until(() =>
        events.find(([first, told]) => first === name && (room === undefined || roomOf(told) === room)),
      );
    return Object.assign(client, { events, event });
  }

  /** Says the three things that the manual's replays and pages consist of. */
  async talk(): Promise<void> {
    const ben = await this.client({ auth: { username: "ben" } });
    for (const [i, text] of TALK.entries()) {
      const message = { room: "chat:lobby", event: "message", data: { text }, id: `m-${i + 1}` };
      await ben.ask("publish", message);
    }
  }

  /** A block as it stands in the manual. */
  shown(check: string): unknown {
    return this.#blocks.get(check)?.value;
  }

  /** The request that the manual shows before a reply, with this run's epochs. */
  request(check: string): object {
    const name = `${check} request`;
    const block = this.#blocks.get(name);
    if (block === undefined) throw new Error(`the manual has no block "${name}"`);
    this.used.add(name);
    const text = JSON.stringify(block.value);
    return JSON.parse(this.#epochs.reduce((all, [shown, real]) => all.replaceAll(shown, real), text));
  }

  /** Sends the manual's request over Socket.IO and gives the acknowledgement. */
  async ask(check: string, client?: StockClient): Promise<unknown> {
    const [event, input] = this.request(check) as [string, object];
    return (client ?? (await this.client({ auth: { username: "ana" } }))).ask(event, input);
  }

  /** Sends the manual's request without an acknowledgement and gives the push that comes of it. */
  async tell(check: string): Promise<unknown> {
    const client = await this.client();
    const [event, ...args] = this.request(check) as [string, ...unknown[]];
    client.socket.emit(event, ...args);
    return client.event(check);
  }

  /** Calls a route, which must answer with the status of its table; gives the body. */
  async call(route: string, path: string, body?: unknown): Promise<unknown> {
    const [method] = route.split(" ") as [string];
    const json = { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const reply = await fetch(this.url + path, { method, ...(body === undefined ? {} : json) });
    const known = ROUTES.find((one) => `${one.method.toUpperCase()} ${one.path}` === route);
    if (reply.status !== known?.reply.status)
      throw new Error(`${route}: ${reply.status} ${await reply.text()}`);
    return reply.status === 204 ? undefined : await reply.json();
  }

  /** Puts the manual's epochs in the place of this run's. */
  asShown(value: unknown): unknown {
    const text = JSON.stringify(value);
    return JSON.parse(this.#epochs.reduce((all, [shown, real]) => all.replaceAll(real, shown), text));
  }

  close(): Promise<void> {
    return this.#nodes.close();
  }
}

function roomOf(told: unknown): unknown {
  return (told as { room?: unknown } | undefined)?.room;
}
