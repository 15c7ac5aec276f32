import { Client, type ConnectOptions } from "./client.ts";
import type { AnyEvents } from "./events.ts";

export { HubError, type ErrorCode } from "../../shared/errors.ts";
export type { From, Message, Meta } from "../../shared/message.ts";
export { formatCursor, type Position } from "../../shared/position.ts";
export type { Member } from "../../shared/presence.ts";
export type {
  Gap,
  GapReason,
  JoinReply,
  Published,
  PublishedEphemeral,
  PublishReply,
  RoomClosed,
} from "../../shared/protocol.ts";
export type { Client, ClientNotices, ConnectOptions } from "./client.ts";
export type { ClientStatus } from "./connection.ts";
export type {
  AnyEvents,
  AnyListener,
  ChatEvents,
  EventOf,
  RoomMessage,
  RoomNotices,
  RoomStatus,
  StreamEvents,
} from "./events.ts";
export type { HistoryOptions } from "./history.ts";
export type { PublishOptions, QueueLimits } from "./outbox.ts";
export type { MemberNotice, Members } from "./members.ts";
export type { Room } from "./room.ts";
export type { RoomOptions } from "./room-options.ts";

/**
 * Connects to a hub. `url` is the hub's address, such as `http://localhost:3000`. `Events` says what its rooms carry:
 * `connect<{ order: { id: number } }>(url)`; a room may say it for itself, as `client.room<ChatEvents>("chat:lobby")`.
 */
export function connect<Events extends object = AnyEvents>(
  url: string,
  options: ConnectOptions = {},
): Client<Events> {
  return new Client(url, options);
}
