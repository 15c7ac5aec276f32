import { HubError } from "../../shared/errors.ts";
import { Lane } from "../../shared/lane.ts";
import type { Limits } from "../../shared/limits.ts";
import type { Published, PublishedEphemeral, PublishReply } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import { onAbort } from "./abort.ts";
import { Delivery } from "./delivery.ts";
import { checkMessage, sizeOf, type CheckedMessage, type OutgoingMessage } from "./message.ts";
import { Outgoing } from "./outgoing.ts";
import { checkTimeout } from "./settings.ts";
import type { Transport } from "./transport.ts";
import { Unsure } from "./unsure.ts";

export interface SendOptions {
  /** How long this may take, from the call, in ms; at most the 10 minutes for which an id is remembered. */
  readonly timeoutMs?: number;
  /** Gives up, with the signal's own reason; what has been sent is not taken back. */
  readonly signal?: AbortSignal;
}

export interface EmitOptions extends SendOptions {
  /** Sent again within 10 minutes, the same id is the same message; one is made if there is none. */
  readonly id?: string;
  /** Delivered live and never kept; at most once, so it is sent again only if it certainly has not been sent. */
  readonly ephemeral?: boolean;
}

/** The ways to emit one message. */
export interface Emit {
  (
    room: string,
    event: string,
    data: unknown,
    options: EmitOptions & { readonly ephemeral: true },
  ): Promise<PublishedEphemeral>;
  (
    room: string,
    event: string,
    data: unknown,
    options?: EmitOptions & { readonly ephemeral?: false },
  ): Promise<Published>;
  (room: string, event: string, data: unknown, options?: EmitOptions): Promise<PublishReply>;
}

/** What became of one message of a batch. */
export type BatchResult = PublishReply | { readonly error: HubError };

/** Sends into rooms without holding a socket. What it is given for one room arrives in the order of the calls. */
export interface Publisher {
  /**
   * Sends a message and resolves with its position. Within the time-out, retryable errors are tried again with the same
   * id, so a retry is never a second message (but `duplicate` is true if an earlier try had stored it after all).
   *
   * @throws HubError; `unavailable` means that the outcome is unknown, and the message names the id to try again with
   */
  readonly emit: Emit;
  /**
   * Sends many messages, of any number and into any rooms, and gives each its result in its place.
   *
   * @throws HubError `bad_request` for what is no array or has bad options; the signal's reason if that aborts
   */
  batch(messages: readonly OutgoingMessage[], options?: SendOptions): Promise<readonly BatchResult[]>;
  /** Resolves when all that was handed over is answered, well or not. */
  flush(): Promise<void>;
  /** Flushes and ends the connections; what is emitted from now on is rejected with `bad_request`. */
  close(): Promise<void>;
}

export interface PublisherContext {
  readonly transport: Transport;
  readonly timeoutMs: number;
  readonly limits: Limits;
  /** From 0 to 1, for the back-off. */
  readonly random?: () => number;
}

/** Keeps a lane per room, over whichever transport. */
export class RoomPublisher implements Publisher {
  readonly emit: Emit;
  readonly #context: PublisherContext;
  readonly #delivery: Delivery;
  readonly #lanes = new Map<RoomName, Lane<Outgoing, undefined>>();
  readonly #unsure: Unsure;
  readonly #unanswered = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(context: PublisherContext) {
    this.#context = context;
    this.#delivery = new Delivery(context.transport, context.random);
    this.#unsure = new Unsure(context.limits.idempotencyMs);
    // The overloads tell the reply's type by the options, as the code does.
    this.emit = this.#emit.bind(this) as Emit;
  }

  async batch(
    messages: readonly OutgoingMessage[],
    options: SendOptions = {},
  ): Promise<readonly BatchResult[]> {
    const until = this.#begin(options);
    if (!Array.isArray(messages)) throw new HubError("bad_request", "a batch is an array of messages");
    const checked = messages.map((message) => this.#check(message));
    const sent = this.#send(
      checked.filter((message): message is CheckedMessage => !(message instanceof HubError)),
      until,
    );
    let next = 0;
    const results = await Promise.all(
      checked.map(async (message): Promise<BatchResult> => {
        if (message instanceof HubError) return { error: message };
        return sent[next++]!.answer.catch((reason: unknown) => {
          if (reason instanceof HubError) return { error: reason };
          throw reason;
        });
      }),
    );
    return results;
  }

  async flush(): Promise<void> {
    await Promise.all(this.#unanswered);
  }

  close(): Promise<void> {
    this.#closing ??= this.flush().then(() => this.#context.transport.close());
    return this.#closing;
  }

  async #emit(room: string, event: string, data: unknown, options: EmitOptions = {}): Promise<PublishReply> {
    const until = this.#begin(options);
    const { id, ephemeral } = options;
    const message = checkMessage({ room, event, data, id, ephemeral }, this.#context.limits);
    return this.#send([message], until)[0]!.answer;
  }

  /** Checks what holds for a whole call, and begins its time. */
  #begin({ timeoutMs = this.#context.timeoutMs, signal }: SendOptions): Until {
    if (this.#closing !== undefined) throw new HubError("bad_request", "the publisher has been closed");
    const deadline = performance.now() + checkTimeout(timeoutMs, this.#context.limits);
    signal?.throwIfAborted();
    return { timeoutMs, deadline, signal };
  }

  #check(message: unknown): CheckedMessage | HubError {
    try {
      return checkMessage(message, this.#context.limits);
    } catch (error) {
      if (error instanceof HubError) return error;
      throw error;
    }
  }

  #send(messages: readonly CheckedMessage[], { signal, ...patience }: Until): readonly Outgoing[] {
    const all = messages.map((message) => new Outgoing(message, patience, this.#unsure.since(message)));
    const timer = setTimeout(() => all.forEach((one) => one.timeUp()), patience.timeoutMs);
    const forget =
      signal === undefined
        ? undefined
        : onAbort(signal, () => all.forEach((one) => one.giveUp(signal.reason)));
    const answered = Promise.allSettled(all.map(({ answer }) => answer)).then(() => {
      clearTimeout(timer);
      forget?.();
      this.#unanswered.delete(answered);
    });
    this.#unanswered.add(answered);
    for (const one of all) {
      one.answer.then(
        () => this.#unsure.settle(one.message, undefined),
        () => this.#unsure.settle(one.message, one.unsureSince),
      );
      this.#push(one);
    }
    return all;
  }

  #push(outgoing: Outgoing): void {
    const { room } = outgoing.message;
    const lane = this.#lanes.get(room) ?? this.#openLane(room);
    void lane.push(outgoing, sizeOf(outgoing.message)).finally(() => {
      if (lane.idle && this.#lanes.get(room) === lane) this.#lanes.delete(room);
    });
  }

  #openLane(room: RoomName): Lane<Outgoing, undefined> {
    const { batchMessages, batchBytes } = this.#context.limits;
    const lane = new Lane<Outgoing, undefined>({
      send: async (batch) => {
        await this.#delivery.deliver(room, batch);
        return batch.map(() => undefined);
      },
      maxItems: batchMessages,
      // Less the brackets.
      maxBytes: batchBytes - 2,
    });
    this.#lanes.set(room, lane);
    return lane;
  }
}

/** How long a call may take. */
interface Until {
  readonly timeoutMs: number;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}
