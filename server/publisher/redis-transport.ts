import { HubError, toHubError } from "../../shared/errors.ts";
import type { Limits } from "../../shared/limits.ts";
import { packetHead } from "../../shared/packet.ts";
import { formatCursor } from "../../shared/position.ts";
import type { RoomName } from "../../shared/room-name.ts";
import {
  DEFAULT_ROOM_OPTIONS,
  optionsOf,
  type RoomOptions,
  type RoomOptionsTable,
} from "../../shared/room-options.ts";
import { RedisLog } from "../stores/redis/redis-log.ts";
import type { CheckedMessage } from "./message.ts";
import { Failure, refused, type Attempt, type Outcome, type Transport } from "./transport.ts";

/** A room that keeps fewer messages may have let go of one before it is sent again, so its log remembers every id. */
const LEAST_TAIL = 100;

/** The nodes' room options are read again after so long. */
const OPTIONS_MS = 30_000;

/** Writes straight to Redis, as the nodes themselves do; no hub needs to run. */
export class RedisTransport implements Transport {
  readonly batchesAtOnce = 256;
  readonly #log: RedisLog;
  #connecting: Promise<void> | undefined;
  #options: Promise<RoomOptionsTable> | undefined;
  #optionsEnd = 0;

  constructor(url: string, limits: Limits) {
    // Another Redis may be behind the address now, or this one may have lost what it had.
    const onConnected = (): void => void (this.#options = undefined);
    this.#log = new RedisLog({ url, limits, keepsProcess: false, onConnected });
  }

  async send(room: RoomName, messages: readonly Attempt[]): Promise<readonly Outcome[]> {
    const outcomes = new Array<Outcome>(messages.length);
    try {
      await this.#connect();
      const retention = optionsOf(room, await this.#roomOptions());
      await Promise.all([
        this.#append(room, messages, retention, outcomes),
        ...messages.map((message, i) => message.ephemeral && this.#broadcast(room, message, i, outcomes)),
      ]);
      return outcomes;
    } catch (error) {
      const failure = new Failure(toHubError(error), true);
      return messages.map(() => failure);
    }
  }

  async close(): Promise<void> {
    await this.#log.close();
  }

  async #connect(): Promise<void> {
    this.#connecting ??= this.#log.connect().finally(() => (this.#connecting = undefined));
    await this.#connecting;
    if (!this.#log.commands.masters.usable) throw new HubError("unavailable", "Redis is away, or hangs");
  }

  async #roomOptions(): Promise<RoomOptionsTable> {
    if (this.#options === undefined || performance.now() > this.#optionsEnd) {
      this.#optionsEnd = performance.now() + OPTIONS_MS;
      const options = this.#readRoomOptions();
      this.#options = options;
      // Tried again by whoever asks next.
      options.catch(() => this.#options === options && (this.#options = undefined));
    }
    return this.#options;
  }

  async #readRoomOptions(): Promise<RoomOptionsTable> {
    return (await this.#log.readRoomOptions()) ?? DEFAULT_ROOM_OPTIONS;
  }

  async #append(
    room: RoomName,
    messages: readonly Attempt[],
    retention: RoomOptions,
    outcomes: Outcome[],
  ): Promise<void> {
    const kept = messages.flatMap((message, index) => (message.ephemeral ? [] : [{ message, index }]));
    try {
      const remembers = retention.messages < LEAST_TAIL;
      const drafts = kept.map(({ message }) => draftOf(message, remembers));
      const appended = await this.#log.append(room, drafts, retention);
      appended.forEach((result, i) => {
        outcomes[kept[i]!.index] = result.ok
          ? {
              room,
              id: result.position.id,
              epoch: result.position.epoch,
              offset: result.position.offset,
              cursor: formatCursor(result.position),
              duplicate: result.duplicate,
            }
          : refused(result.error);
      });
    } catch (error) {
      const failure = refused(toHubError(error));
      kept.forEach(({ index }) => (outcomes[index] = failure));
    }
  }

  async #broadcast(room: RoomName, message: CheckedMessage, i: number, outcomes: Outcome[]): Promise<void> {
    try {
      await this.#log.broadcast(room, { id: message.id, head: headOf(message) });
      outcomes[i] = { room, id: message.id, ephemeral: true };
    } catch (error) {
      outcomes[i] = refused(toHubError(error));
    }
  }
}

type Draft = Parameters<RedisLog["append"]>[1][number];

function draftOf(message: Attempt, remembers: boolean): Draft {
  const { id, keyed, sentAgoMs } = message;
  const head = headOf(message);
  if (remembers) return { id, keyed: true, head };
  return sentAgoMs === undefined ? { id, keyed, head } : { id, keyed, sentAgoMs, head };
}

function headOf({ room, event, data }: CheckedMessage): string {
  return packetHead(room, event, data, undefined);
}
