import { packetTail } from "../../shared/packet.ts";
import type { Position } from "../../shared/position.ts";
import type { HistoryReply, JoinReply } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { Appended, Draft, StoredMessage } from "../../server/hub/broker.ts";
import type { Push } from "../../server/hub/transport.ts";

type Next = (push: Push) => void;
type Append = (drafts: readonly Draft[]) => Promise<readonly Appended[]>;

/** Where a bug can sit in one room of one node; what it does not touch goes on as it should. */
export interface Hooks {
  /** A push on its way to the live members; `elsewhere` delivers to those of another room. */
  readonly live?: (push: Push, next: Next, elsewhere: Next) => void;
  /** A push on its way to one subscriber that is joining. */
  readonly replay?: (push: Push, next: Next) => void;
  /** Runs before a subscriber goes live, with the last message that was replayed to it. */
  readonly seam?: (last: Push | undefined, next: Next) => void;
  /** Replays are one message late, and the last one never comes. */
  readonly withholdsLast?: true;
  /** Streams of events that go on after an id lack the first message. */
  readonly skipsInStreams?: true;
  /** Subscribers that leave are kept. */
  readonly keepsMembers?: true;
  readonly reply?: (reply: JoinReply) => JoinReply;
  readonly append?: (drafts: readonly Draft[], next: Append) => Promise<readonly Appended[]>;
  readonly history?: (reply: HistoryReply) => HistoryReply;
}

/** A bug that can be planted into a running hub. */
export interface Bug {
  readonly name: string;
  readonly does: string;
  /** Rooms that forget, because it shows only where messages are gone. */
  readonly needsBound?: true;
  /** A room that most are in, because it shows only to those who read streams of events. */
  readonly needsStreams?: true;
  readonly plant: () => Hooks;
}

/** How often a bug strikes: on every so manieth occasion. */
const EVERY = 7;

/** Every bug that the oracle is tested with. */
export const BUGS: readonly Bug[] = [
  onLive("drop", "a message is not delivered", () => undefined),
  onLive("double", "a message is delivered twice", (push, next) => {
    next(push);
    next(push);
  }),
  {
    name: "swap",
    does: "two messages change places",
    plant: () => {
      let held: Push | undefined;
      const strikes = counter();
      return {
        live(push, next) {
          if (held !== undefined) {
            next(push);
            next(held);
            held = undefined;
          } else if (push.kind === "message" && strikes()) held = push;
          else next(push);
        },
      };
    },
  },
  onLive("stale-epoch", "a message carries the identity of another log", (push, next) =>
    next(moved(push, (place) => ({ ...place, epoch: "0123456789abcdef" }))),
  ),
  onLive("wrong-payload", "a message has another content", (push, next) => next(withContent(push))),
  {
    name: "false-recovered",
    does: "a resume over a gap is called recovered",
    needsBound: true,
    plant: () => ({
      replay: (push, next) => (push.kind === "gap" ? undefined : next(push)),
      reply: ({ reason: _, ...reply }) => (reply.recovered === false ? { ...reply, recovered: true } : reply),
    }),
  },
  {
    name: "silent-gap",
    does: "room:gap is not sent",
    needsBound: true,
    plant: () => ({ replay: (push, next) => (push.kind === "gap" ? undefined : next(push)) }),
  },
  {
    name: "seam-gap",
    does: "the last replayed message is not sent",
    plant: () => ({ withholdsLast: true }),
  },
  {
    name: "seam-double",
    does: "the last replayed message is sent again",
    plant: () => ({ seam: (last, next) => (last === undefined ? undefined : next(last)) }),
  },
  {
    name: "stream-skip",
    does: "a stream of events that is resumed leaves out its first message",
    needsStreams: true,
    plant: () => ({ skipsInStreams: true }),
  },
  {
    name: "offset-reused",
    does: "an acknowledgement has the offset of the message before",
    plant: () => onAck((position) => ({ ...position, offset: position.offset - 1 })),
  },
  {
    name: "ack-without-store",
    does: "a message is acknowledged and not stored",
    plant: () => {
      const strikes = counter();
      return {
        async append(drafts, next) {
          const appended = [...(await next(drafts.slice(0, -1)))];
          const [last] = drafts.slice(-1);
          const [before] = appended.slice(-1);
          if (before?.ok !== true || last === undefined || !strikes())
            return [...appended, ...(await next(drafts.slice(-1)))];
          const position = { ...before.position, offset: before.position.offset + 1, id: last.id };
          return [...appended, { ...before, position, duplicate: false }];
        },
      };
    },
  },
  {
    name: "id-twice",
    does: "an id that was seen before is a new message",
    plant: () => ({ append: (drafts, next) => next(drafts.map((draft) => ({ ...draft, keyed: false }))) }),
  },
  {
    name: "wrong-room",
    does: "members of another room get the message",
    plant: () => {
      const strikes = counter();
      return {
        live(push, next, elsewhere) {
          next(push);
          if (strikes()) elsewhere(push);
        },
      };
    },
  },
  {
    name: "after-leave",
    does: "who has left goes on getting messages",
    plant: () => ({ keepsMembers: true }),
  },
  onLive("ghost", "a message is delivered that nobody has sent", (push, next) =>
    next(moved(push, (place) => ({ ...place, id: `ghost-${place.offset}` }))),
  ),
  {
    name: "order",
    does: "messages of one request are stored in the reverse order",
    plant: () => ({
      append: async (drafts, next) => (await next(drafts.toReversed())).toReversed(),
    }),
  },
  {
    name: "stuck",
    does: "the newest messages come to nobody until others follow",
    plant: () => {
      const held: Push[] = [];
      return {
        live(push, next) {
          held.push(push);
          if (held.length > 3) next(held.shift()!);
        },
      };
    },
  },
  {
    name: "short-history",
    does: "history leaves a message out",
    plant: () => ({
      history: (page) => ({ ...page, messages: page.messages.filter(({ offset }) => offset % EVERY !== 0) }),
    }),
  },
];

function onLive(name: string, does: string, act: (push: Push, next: Next) => void): Bug {
  return {
    name,
    does,
    plant: () => {
      const strikes = counter();
      return {
        live(push, next) {
          if (push.kind === "message" && strikes()) act(push, next);
          else next(push);
        },
      };
    },
  };
}

function onAck(change: (position: Position) => Position): Hooks {
  const strikes = counter();
  return {
    async append(drafts, next) {
      const appended = await next(drafts);
      return appended.map((one) =>
        one.ok && one.position.offset > 1 && strikes() ? { ...one, position: change(one.position) } : one,
      );
    },
  };
}

/** True on every so manieth call. */
function counter(): () => boolean {
  let calls = 0;
  return () => {
    calls += 1;
    return calls % EVERY === 0;
  };
}

function moved(push: Push, change: (message: StoredMessage) => StoredMessage): Push {
  if (push.kind !== "message") return push;
  const place = change(push.message);
  const { packet } = push.message;
  // The last one is the hub's: what follows data is never written by a sender.
  const head = packet.slice(0, packet.lastIndexOf('"id":"'));
  return { kind: "message", message: { ...place, packet: head + packetTail(place) } };
}

function withContent(push: Push): Push {
  if (push.kind !== "message") return push;
  const packet = push.message.packet.replace('"text":"', '"text":"?');
  return { kind: "message", message: { ...push.message, packet } };
}

/** The room into which a bug is planted. */
export function plantedRoom(bug: Bug): RoomName {
  return `chat:planted-${bug.name}` as RoomName;
}
