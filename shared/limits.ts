/** Every limit of one hub. Sizes are in UTF-8 bytes, times in milliseconds. n passes, n + 1 is refused. */
export interface Limits {
  /** JSON text of one message's data. More: `too_large`. */
  readonly dataBytes: number;
  /** Nesting of arrays and objects in data. More: `bad_request`. */
  readonly dataDepth: number;
  /** The part of a room name after its kind. More: `bad_room`. */
  readonly roomNameBytes: number;
  /** One inbound Socket.IO frame or polling body. More closes the connection. */
  readonly frameBytes: number;
  /** What waits to be sent to one connection. More: closed with `slow`. */
  readonly outboundBytes: number;
  /** A reader that takes nothing for so long during a replay is closed with `slow`. */
  readonly stalledMs: number;
  /** Rooms that one connection may be in. One more: `too_many_rooms`. */
  readonly roomsPerConnection: number;
  /** Rooms of one stream of events. One more: `bad_request`. */
  readonly roomsPerStream: number;
  /** Messages that one connection may publish per second, in the long run. More: `rate_limited`. */
  readonly messagesPerSecond: number;
  /** Messages that one connection may publish at once. */
  readonly messageBurst: number;
  /** Messages of one history page. More asked for: `bad_request`. */
  readonly historyPage: number;
  /** Messages in one array. More: `too_large`. */
  readonly batchMessages: number;
  /** HTTP body that holds an array. More: `too_large`. */
  readonly batchBytes: number;
  /** Members of one room. One more: `too_large`. */
  readonly membersPerRoom: number;
  /** Members in one page, the join's own included. More asked for: `bad_request`. */
  readonly membersPage: number;
  /** JSON text of what a member tells of itself. More: `too_large`. */
  readonly memberInfoBytes: number;
  /** An Engine.IO connection that sends no Socket.IO CONNECT is closed. */
  readonly handshakeMs: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** For so long a message's id is remembered: the same id again is the same message. */
  readonly idempotencyMs: number;
  readonly redisConnectMs: number;
  readonly redisCommandMs: number;
  /** A stopping node ends whatever is left after so long. */
  readonly drainMs: number;
}

/** Apart from the others, so that who needs only this one has no more of them. */
export const FRAME_BYTES = 262_144;

export const DEFAULT_LIMITS: Limits = {
  dataBytes: 65_536,
  dataDepth: 32,
  roomNameBytes: 200,
  frameBytes: FRAME_BYTES,
  outboundBytes: 1_048_576,
  stalledMs: 30_000,
  roomsPerConnection: 128,
  roomsPerStream: 10,
  messagesPerSecond: 20,
  messageBurst: 60,
  historyPage: 300,
  batchMessages: 100,
  batchBytes: 1_048_576,
  membersPerRoom: 20_000,
  membersPage: 1_000,
  memberInfoBytes: 1_024,
  handshakeMs: 10_000,
  pingIntervalMs: 20_000,
  pingTimeoutMs: 8_000,
  idempotencyMs: 600_000,
  redisConnectMs: 1_000,
  redisCommandMs: 1_500,
  drainMs: 30_000,
};
