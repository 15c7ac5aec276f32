import type { Published, PublishedEphemeral, PublishReply } from "../../shared/protocol.ts";
import { HttpTransport } from "./http-transport.ts";
import { RoomPublisher, type EmitOptions, type Publisher } from "./publisher.ts";
import { RedisTransport } from "./redis-transport.ts";
import { loadSettings, type PublisherOptions } from "./settings.ts";

export { HubError, type ErrorBody, type ErrorCode } from "../../shared/errors.ts";
export type { Limits } from "../../shared/limits.ts";
export type { Published, PublishedEphemeral, PublishReply } from "../../shared/protocol.ts";
export type { OutgoingMessage } from "./message.ts";
export type { BatchResult, Emit, EmitOptions, Publisher, SendOptions } from "./publisher.ts";
export type { PublisherOptions } from "./settings.ts";

/**
 * Makes a publisher, straight to Redis or over HTTP. It connects when it first has something to send, and keeps the
 * process only while something is unanswered.
 *
 * @throws HubError `bad_request` for a bad setting, naming the option or environment variable
 */
export function createPublisher(options: PublisherOptions = {}): Publisher {
  const { target, notice, ...context } = loadSettings(options, process.env);
  if (notice !== undefined) (options.onNotice ?? writeNotice)(notice);
  const transport =
    target.kind === "redis"
      ? new RedisTransport(target.url, context.limits)
      : new HttpTransport(target.url, target.key);
  return new RoomPublisher({ ...context, transport });
}

let shared: Publisher | undefined;

/**
 * Sends a message into a room and resolves with its position: straight to Redis with `REDIS_URL`, else to the hub at
 * `ROOMCAST_URL` (http://127.0.0.1:3000) with the key `ROOMCAST_KEY`. Retryable errors are tried again with the same id
 * for as long as `timeoutMs` (5,000) lasts, so a retry is never a second message.
 *
 * @throws HubError; `unavailable` means that the outcome is unknown, and the message names the id to try again with
 */
export function emitToRoom(
  room: string,
  event: string,
  data: unknown,
  options: EmitOptions & { readonly ephemeral: true },
): Promise<PublishedEphemeral>;
export function emitToRoom(
  room: string,
  event: string,
  data: unknown,
  options?: EmitOptions & { readonly ephemeral?: false },
): Promise<Published>;
export function emitToRoom(
  room: string,
  event: string,
  data: unknown,
  options?: EmitOptions,
): Promise<PublishReply>;
export async function emitToRoom(
  room: string,
  event: string,
  data: unknown,
  options?: EmitOptions,
): Promise<PublishReply> {
  shared ??= createPublisher();
  return shared.emit(room, event, data, options);
}

const written = new Set<string>();

/** Once per process: a program may make many publishers. */
function writeNotice(line: string): void {
  if (written.has(line)) return;
  written.add(line);
  process.stderr.write(`roomcast: ${line}\n`);
}
