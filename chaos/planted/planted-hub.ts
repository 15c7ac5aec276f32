import type { HistoryReply, JoinReply } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import { loadConfig } from "../../server/config.ts";
import type { Broker, StoredMessage } from "../../server/hub/broker.ts";
import type { HistoryRange } from "../../server/hub/history.ts";
import { Hub, type HubContext } from "../../server/hub/hub.ts";
import type { Session } from "../../server/hub/session.ts";
import type { Start } from "../../server/hub/subscription.ts";
import type { Push, Subscriber, Transport } from "../../server/hub/transport.ts";
import { runHub } from "../../server/index.ts";
import { BUGS, plantedRoom, type Hooks } from "./bugs.ts";

/** Where the bug "wrong-room" delivers to. */
const ELSEWHERE = "stream:hot" as RoomName;

type Planted = ReadonlyMap<RoomName, Hooks>;

/** A hub with bugs between its core and what is around it: the log below, the transports above. */
class PlantedHub extends Hub {
  readonly #bugs: Planted;
  readonly #subscribers = new WeakMap<Subscriber, PlantedSubscriber>();

  constructor(context: HubContext, bugs: Planted) {
    super({ ...context, broker: withBugs(context.broker, bugs) });
    this.#bugs = bugs;
  }

  override addTransport(transport: Transport): void {
    super.addTransport({
      deliver: (room, push) => {
        const next = (one: Push): void => transport.deliver(room, one);
        const live = this.#bugs.get(room)?.live;
        if (live === undefined) next(push);
        else live(push, next, (one) => transport.deliver(ELSEWHERE, one));
      },
      close: (closing) => transport.close(closing),
    });
  }

  override async join(
    subscriber: Subscriber,
    room: RoomName,
    start: Start,
    acknowledge: (reply: JoinReply) => void,
  ): Promise<void> {
    const reply = this.#bugs.get(room)?.reply ?? ((one: JoinReply): JoinReply => one);
    await super.join(this.#planted(subscriber), room, start, (one) => acknowledge(reply(one)));
  }

  override async leave(subscriber: Subscriber, room: RoomName): Promise<void> {
    await super.leave(this.#planted(subscriber), room);
  }

  override disconnect(subscriber: Subscriber): void {
    super.disconnect(this.#planted(subscriber));
  }

  override async history(session: Session, room: RoomName, range: HistoryRange): Promise<HistoryReply> {
    const page = await super.history(session, room, range);
    return this.#bugs.get(room)?.history?.(page) ?? page;
  }

  #planted(subscriber: Subscriber): PlantedSubscriber {
    let planted = this.#subscribers.get(subscriber);
    if (planted === undefined) {
      planted = new PlantedSubscriber(subscriber, this.#bugs);
      this.#subscribers.set(subscriber, planted);
    }
    return planted;
  }
}

class PlantedSubscriber implements Subscriber {
  readonly session: Subscriber["session"];
  readonly #inner: Subscriber;
  readonly #bugs: Planted;
  readonly #last = new Map<RoomName, Push>();

  constructor(inner: Subscriber, bugs: Planted) {
    this.session = inner.session;
    this.#inner = inner;
    this.#bugs = bugs;
  }

  send(push: Push): void {
    if (push.kind === "members") return this.#inner.send(push);
    const room = (push.kind === "gap" ? push.gap.room : push.message.room) as RoomName;
    const { replay, withholdsLast } = this.#bugs.get(room) ?? {};
    const before = this.#last.get(room);
    if (push.kind === "message") this.#last.set(room, push);
    if (withholdsLast === true && push.kind === "message") return before && this.#inner.send(before);
    if (replay === undefined) this.#inner.send(push);
    else replay(push, (one) => this.#inner.send(one));
  }

  replay(messages: readonly StoredMessage[]): void {
    if (!this.#bugs.has(messages[0]!.room)) return this.#inner.replay(messages);
    messages.forEach((message) => this.send({ kind: "message", message }));
  }

  drained(): Promise<void> {
    return this.#inner.drained();
  }

  goLive(room: RoomName): void {
    this.#bugs.get(room)?.seam?.(this.#last.get(room), (one) => this.#inner.send(one));
    this.#last.delete(room);
    this.#inner.goLive(room);
  }

  leave(room: RoomName): void {
    if (this.#bugs.get(room)?.keepsMembers !== true) this.#inner.leave(room);
  }
}

function withBugs(broker: Broker, bugs: Planted): Broker {
  return new Proxy(broker, {
    get(target, name) {
      if (name === "append") {
        const append: Broker["append"] = (room, drafts, retention) => {
          const next: Parameters<NonNullable<Hooks["append"]>>[1] = async (some) =>
            some.length === 0 ? [] : target.append(room, some, retention);
          return bugs.get(room)?.append?.(drafts, next) ?? next(drafts);
        };
        return append;
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Has an answer leave out the first event that holds this text. */
function skipFirst(response: NodeJS.WritableStream, text: string): void {
  const write: (chunk: string) => boolean = response.write.bind(response);
  let isDone = false;
  response.write = (chunk: string | Buffer): boolean => {
    const blocks = String(chunk).split(/(?<=\n\n)/);
    const first = isDone ? -1 : blocks.findIndex((block) => block.includes(text));
    isDone ||= first >= 0;
    return write(blocks.filter((_, i) => i !== first).join(""));
  };
}

const names = process.argv.slice(2);
const planted = new Map(
  BUGS.filter(({ name }) => names.includes(name)).map((bug) => [plantedRoom(bug), bug.plant()]),
);
const config = loadConfig({}, process.env, process.env["ROOMCAST_CONFIG"]);
const hub = await runHub(config, undefined, undefined, (context) => new PlantedHub(context, planted));
const spoilStreams = (
  { headers }: { headers: NodeJS.Dict<unknown> },
  response: NodeJS.WritableStream,
): void => {
  if (headers["last-event-id"] === undefined) return;
  for (const [room, { skipsInStreams }] of planted)
    if (skipsInStreams === true) skipFirst(response, `{"room":${JSON.stringify(room)}`);
};
hub.io.httpServer.prependListener("request", spoilStreams);
console.log(`roomcast listens on ${await hub.listen()}`);
process.on("SIGTERM", () => void hub.close().then(() => process.exit(0)));
