import { signal, type ReadonlySignal } from "@preact/signals";
import { connect, HubError, type Gap, type JoinReply, type Meta, type PublishReply } from "../sdk/index.ts";
import { errorFromBody } from "../../shared/errors.ts";
import type { HistoryReply, HistoryRequest, Reply, Rewind } from "../../shared/protocol.ts";

/** How a room's page stands with the hub. */
export type Status =
  | { readonly is: "connecting" | "live" | "lost" }
  /** For good: the hub said no. */
  | { readonly is: "refused"; readonly reason: string };

export interface RoomListener {
  message(event: string, data: unknown, meta: Meta): void;
  gap(gap: Gap): void;
  joined(reply: JoinReply): void;
}

export interface RoomOptions {
  readonly rewind: Rewind;
  readonly username?: string;
  readonly guest: string;
}

/** One room over one connection, which comes back by itself. */
export interface RoomSession {
  readonly status: ReadonlySignal<Status>;
  /** @throws HubError what the hub answers */
  publish(event: string, data: unknown, id: string): Promise<PublishReply>;
  /** @throws HubError what the hub answers */
  history(query: Omit<HistoryRequest, "room">): Promise<HistoryReply>;
  close(): void;
}

/** What has no answer after so long is taken for lost, in ms. */
const ANSWER_MS = 10_000;

/** Opens a room on the hub that served the page. */
export function openRoom(
  name: string,
  { rewind, username, guest }: RoomOptions,
  listener: RoomListener,
): RoomSession {
  const client = connect(location.origin, username === undefined ? { guest } : { guest, username });
  const { socket } = client;
  const room = client.room(name, { rewind });
  const status = signal<Status>({ is: "connecting" });
  const refuse = (reason: string): void => void (status.value = { is: "refused", reason });

  client.on("status", (is, error) => {
    if (is === "closed") refuse(error?.message ?? "The hub has closed the connection");
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
  room.on("room:closed", ({ reason }) => refuse(reason));
  room.join().catch((error: unknown) => refuse((error as HubError).message));

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
    publish: (event, data, id) => ask<PublishReply>("publish", { event, data, id }),
    history: (query) => ask<HistoryReply>("history", query),
    close() {
      removeEventListener("offline", cut);
      client.close();
    },
  };
}
