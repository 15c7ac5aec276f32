import { signal, type ReadonlySignal } from "@preact/signals";
import {
  connect,
  HubError,
  type Client,
  type ErrorCode,
  type From,
  type Gap,
  type JoinReply,
  type Member,
  type Meta,
  type PublishReply,
  type Room,
} from "../sdk/index.ts";
import { errorFromBody } from "../../shared/errors.ts";
import type { HistoryReply, HistoryRequest, Reply, Rewind } from "../../shared/protocol.ts";

/** How a room's page stands with the hub. */
export type Status =
  | { readonly is: "connecting" | "live" | "lost" }
  /** For good: the hub said no. */
  | { readonly is: "refused"; readonly reason: string; readonly code: ErrorCode | "kicked" };

/** Who is in the room. */
export interface People {
  /** Those who are known, in the order of their coming. */
  readonly members: readonly Member[];
  readonly total: number;
}

export interface RoomListener {
  message(event: string, data: unknown, meta: Meta): void;
  gap(gap: Gap): void;
  joined(reply: JoinReply): void;
  /** Some have come and gone since the page is here. */
  moved?(came: readonly Member[], gone: readonly Member[]): void;
}

export interface RoomOptions {
  readonly rewind: Rewind;
  readonly username?: string;
  readonly guest: string;
}

/** One room over one connection, which comes back by itself. */
export interface RoomSession {
  readonly status: ReadonlySignal<Status>;
  readonly people: ReadonlySignal<People>;
  readonly typists: ReadonlySignal<readonly From[]>;
  /** Tells the others that something is being written here. */
  typing(): void;
  /** @throws HubError what the hub answers */
  publish(event: string, data: unknown, id: string): Promise<PublishReply>;
  /** @throws HubError what the hub answers */
  history(query: Omit<HistoryRequest, "room">): Promise<HistoryReply>;
  close(): void;
}

/** What has no answer after so long is taken for lost, in ms. */
const ANSWER_MS = 10_000;

/** Looks once at what one turn brings, be it a thousand members. */
function watchPeople({ socket }: Client, room: Room, listener: RoomListener): ReadonlySignal<People> {
  const { members } = room;
  const people = signal<People>({ members: [], total: 0 });
  const came: Member[] = [];
  const gone: Member[] = [];
  let isDue = false;
  const look = (): void => {
    isDue = false;
    people.value = { members: [...members], total: members.total };
    const [coming, going] = [came.splice(0), gone.splice(0)];
    if (coming.length + going.length > 0) listener.moved?.(coming, going);
  };
  const later = (): void => {
    if (!isDue) queueMicrotask(look);
    isDue = true;
  };
  members.on("join", (member) => came.push(member)).on("leave", (member) => gone.push(member));
  // Whoever else changes, the total does too, or is all that does.
  room.on("room:joined", later);
  socket.on("room:members", later);
  return people;
}

/** Opens a room on the hub that served the page. */
export function openRoom(
  name: string,
  { rewind, username, guest }: RoomOptions,
  listener: RoomListener,
): RoomSession {
  const client = connect(location.origin, username === undefined ? { guest } : { guest, username });
  const { socket } = client;
  const room = client.room(name, { rewind, presence: true });
  const status = signal<Status>({ is: "connecting" });
  const refuse = (code: ErrorCode | "kicked", reason: string): void =>
    void (status.value = { is: "refused", reason, code });

  client.on("status", (is, error) => {
    if (is === "closed") refuse(error!.code, error!.message);
    else if (is === "reconnecting") status.value = { is: "lost" };
  });
  // The first attempt may fail as well.
  client.on("error", () => {
    if (client.status !== "closed") status.value = { is: "lost" };
  });
  room.onAny((event, data, meta) => listener.message(event, data, meta));
  room.on("room:gap", (gap) => listener.gap(gap));
  room.on("room:joined", (reply) => {
    status.value = { is: "live" };
    listener.joined(reply);
  });
  room.on("room:closed", ({ code, reason }) => refuse(code, reason));
  const people = watchPeople(client, room, listener);
  const typists = signal<readonly From[]>([]);
  room.on("room:typing", (now) => void (typists.value = now));
  room.join().catch((error: unknown) => refuse((error as HubError).code, (error as HubError).message));

  // The transport itself finds out much later.
  const cut = (): void => void socket.io.engine?.close();
  addEventListener("offline", cut);

  // Asked once, and not by the SDK's queue: the page shows what is not sent, and why, and sends it again when it is told to.
  async function ask<T>(request: string, input: object): Promise<T> {
    const reply = (await socket
      .timeout(ANSWER_MS)
      .emitWithAck(request, { room: name, ...input })
      .catch((cause: unknown) => {
        throw new HubError("unavailable", "the hub did not answer", { cause });
      })) as Reply<T>;
    if (!reply.ok) throw errorFromBody(reply.error);
    return reply;
  }

  return {
    status,
    people,
    typists,
    typing: () => room.typing(),
    publish: (event, data, id) => ask<PublishReply>("publish", { event, data, id }),
    history: (query) => ask<HistoryReply>("history", query),
    close() {
      removeEventListener("offline", cut);
      client.close();
    },
  };
}
