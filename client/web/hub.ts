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

/** Somebody looks at the page, so it tries more often than a program would. */
const RETRY_MS = 500;
const LONGEST_RETRY_MS = 2_500;

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

  socket.io.reconnectionDelay(RETRY_MS).reconnectionDelayMax(LONGEST_RETRY_MS);
  socket.on("disconnect", () => {
    if (socket.active) status.value = { is: "lost" };
    else if (status.peek().is !== "refused") refuse("The hub has closed the connection");
  });
  socket.on("connect_error", (error) => {
    if (socket.active) status.value = { is: "lost" };
    else refuse(error.message);
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

  return {
    status,
    publish: (event, data, id) => room.publish(event, data, { id }),
    async history(query) {
      const reply = (await socket
        .timeout(10_000)
        .emitWithAck("history", { room: name, ...query })
        .catch((cause: unknown) => {
          throw new HubError("unavailable", "the hub did not answer", { cause });
        })) as Reply<HistoryReply>;
      if (!reply.ok) throw errorFromBody(reply.error);
      return reply;
    },
    close() {
      removeEventListener("offline", cut);
      client.close();
    },
  };
}
