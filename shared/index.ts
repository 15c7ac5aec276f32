export {
  HubError,
  RETRYABLE,
  errorFromBody,
  isErrorCode,
  toHubError,
  type ErrorBody,
  type ErrorCode,
} from "./errors.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
export { parseRoomAlias, parseRoomName, roomKind, type RoomName } from "./room-name.ts";
export { formatCursor, isMessageId, parsePosition, type Position } from "./position.ts";
export { encodeData, parseEvent, parseMessageId, type From, type Message, type Meta } from "./message.ts";
export {
  DEFAULT_ROOM_OPTIONS,
  isRoomPattern,
  optionsOf,
  type RoomOptions,
  type RoomOptionsTable,
} from "./room-options.ts";
export { parseDuration } from "./duration.ts";
export type * from "./protocol.ts";
