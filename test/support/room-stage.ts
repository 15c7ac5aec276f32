import { HubError } from "../../shared/errors.ts";
import { LocalMembers } from "../../server/stores/local-members.ts";
import { LocalPresence } from "../../server/stores/local-presence.ts";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { messageOf } from "../../shared/packet.ts";
import type { Position } from "../../shared/position.ts";
import type { JoinReply } from "../../shared/protocol.ts";
import { parseRoomName, type RoomName } from "../../shared/room-name.ts";
import { allowEveryone } from "../../server/hub/authorize.ts";
import type { Broker, StoredMessage } from "../../server/hub/broker.ts";
import { Hub } from "../../server/hub/hub.ts";
import type { Push, Subscriber } from "../../server/hub/transport.ts";
import type { Start } from "../../server/hub/subscription.ts";
import {
  standsAt,
  written,
  type Answer,
  type Item,
  type ModelClient,
  type Node,
  type StepStart,
  type Told,
} from "./room-model.ts";

/** Opens two brokers on one store; after both are closed, on the same store again. */
export type OpenBrokers = () => Promise<readonly [Broker, Broker]>;

export interface StageOptions {
  readonly open: OpenBrokers;
  readonly messages: number;
  readonly pageLimit: number;
}

const NOBODY = { id: "publisher" };
let rooms = 0;

/** Is a client of one node that writes down what it is told, as the model does. */
class Listener implements Subscriber {
  readonly session;
  readonly told: Told[] = [];
  hub: Hub | undefined;
  isLive = false;

  constructor(id: string) {
    this.session = { id };
  }

  send(push: Push): void {
    if (push.kind === "gap") {
      const { reason, from, to } = push.gap;
      this.told.push({ gap: reason, from, to });
    } else if (push.kind === "message") {
      const { offset, data } = messageOf(push.message.packet);
      this.told.push({ message: written({ offset, text: data as string }) });
    }
  }

  replay(messages: readonly StoredMessage[]): void {
    messages.forEach((message) => this.send({ kind: "message", message }));
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  goLive(): void {
    this.isLive = true;
  }

  leave(): void {
    this.isLive = false;
  }
}

/** Is a room of its own on two real hubs that share one store. */
export class RoomStage {
  readonly #options: StageOptions;
  readonly #room: RoomName;
  readonly #listeners: readonly Listener[];
  readonly #failures: unknown[] = [];
  #hubs: readonly Hub[] = [];
  #epoch = "";
  /** The id of each message, by its offset. */
  readonly #ids = new Map<number, string>([[0, ""]]);

  constructor(options: StageOptions, clients: number) {
    rooms += 1;
    this.#options = options;
    this.#room = parseRoomName(`stream:model-${process.pid}-${rooms}`);
    this.#listeners = Array.from({ length: clients }, (_, i) => new Listener(`client-${i}`));
  }

  /** What went wrong where nobody waits for it. */
  get failures(): readonly unknown[] {
    return this.#failures;
  }

  told(client: number): readonly Told[] {
    return this.#listeners[client]!.told;
  }

  async start(): Promise<void> {
    const brokers = await this.#options.open();
    this.#hubs = brokers.map((broker) => this.#hub(broker));
    await Promise.all(this.#hubs.map((hub) => hub.start()));
    const { position } = await this.#hubs[0]!.describe(NOBODY, this.#room);
    this.#epoch = position.epoch;
  }

  async stop(): Promise<void> {
    for (const listener of this.#listeners) this.#disconnect(listener);
    const closing = { code: "shutdown", reconnect: true, delayMs: 0 } as const;
    await Promise.all(this.#hubs.map((hub) => hub.close(closing)));
  }

  async publish(node: Node, items: readonly Item[]): Promise<Answer> {
    const publications = items.map(({ id, text }) => ({
      event: "log",
      data: JSON.stringify(text),
      ...(id !== undefined && { id }),
    }));
    const results = await this.#hubs[node]!.publish(NOBODY, this.#room, publications);
    return results.map((result) => {
      if (result instanceof HubError && result.code === "id_reused") return "id_reused";
      if (result instanceof HubError) throw result;
      if (!("offset" in result) || result.epoch !== this.#epoch) throw new Error("no place in this log");
      this.#ids.set(result.offset, result.id);
      return `${result.duplicate ? "duplicate" : "new"} ${result.offset}` as const;
    });
  }

  async join(client: number, node: Node, start: StepStart, model: ModelClient): Promise<void> {
    const listener = this.#listeners[client]!;
    if (listener.hub !== this.#hubs[node]) this.#disconnect(listener);
    listener.hub = this.#hubs[node];
    await listener.hub!.join(listener, this.#room, this.#start(start, model), (reply) =>
      listener.told.push(joined(reply)),
    );
  }

  async leave(client: number): Promise<void> {
    const listener = this.#listeners[client]!;
    await listener.hub?.leave(listener, this.#room);
  }

  async history(node: Node, side: "after" | "before", offset: number): Promise<Answer> {
    const limit = this.#options.pageLimit;
    const range = side === "after" ? { after: offset, limit } : { before: offset, limit };
    const page = await this.#hubs[node]!.history(NOBODY, this.#room, range);
    const messages = page.messages.map((message) =>
      written({ offset: message.offset, text: message.data as string }),
    );
    return { messages, firstOffset: page.firstOffset, complete: page.complete };
  }

  /** Through both nodes: the other one may give what it has at hand for up to a second longer. */
  async clear(): Promise<void> {
    for (const hub of this.#hubs) await hub.clear(NOBODY, this.#room);
  }

  #hub(broker: Broker): Hub {
    const { messages, pageLimit } = this.#options;
    const hub = new Hub({
      broker,
      presence: new LocalPresence(new LocalMembers()),
      authorize: allowEveryone,
      limits: { ...DEFAULT_LIMITS, historyPage: pageLimit },
      rooms: { "stream:*": { messages, ageMs: 3_600_000 } },
      observer: {
        gap() {},
        backfilled() {},
        slow() {},
        warning() {},
        failure: (what, error) => void this.#failures.push([what, error]),
      },
    });
    hub.addTransport({
      deliver: (_, push) =>
        this.#listeners
          .filter((listener) => listener.hub === hub && listener.isLive)
          .forEach((listener) => listener.send(push)),
      close: () => Promise.resolve(),
    });
    return hub;
  }

  #disconnect(listener: Listener): void {
    listener.hub?.disconnect(listener);
    listener.hub = undefined;
    listener.isLive = false;
  }

  #start(start: StepStart, model: ModelClient): Start {
    if (start.from === "now") return {};
    if (start.from === "rewind") return { rewind: start.messages };
    const offset = standsAt(model, start.back);
    const since: Position = { epoch: this.#epoch, offset, id: this.#ids.get(offset)! };
    if (start.is === "forged") return { since: { ...since, id: "forged" } };
    return { since: start.is === "true" ? since : { ...since, epoch: "another" } };
  }
}

function joined({ position, replayed, recovered, reason }: JoinReply): Told {
  const told = { ...(recovered !== undefined && { recovered }), ...(reason !== undefined && { reason }) };
  return { joined: position.offset, replayed, ...told };
}
