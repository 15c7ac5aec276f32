import { HubError } from "../../shared/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../../shared/limits.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { CheckedMessage } from "../../server/publisher/message.ts";
import { RoomPublisher } from "../../server/publisher/publisher.ts";
import { Failure, type Attempt, type Outcome, type Transport } from "../../server/publisher/transport.ts";

/**
 * What becomes of one try: `lose` stores everything and loses the answer, a failure stores nothing, a promise holds the
 * try up.
 */
export type Step =
  "store" | "lose" | Failure | Promise<unknown> | ((messages: readonly CheckedMessage[]) => Step);

/** Is a log in memory that does with each try what its script says, and stores once the script is over. */
export class ScriptedTransport implements Transport {
  batchesAtOnce = 256;
  /** Every try: its messages' data. */
  readonly tries: string[][] = [];
  /** Of every try, whether its messages are said to have been sent before. */
  readonly sentBefore: boolean[][] = [];
  readonly signals: AbortSignal[] = [];
  underWay = 0;
  mostUnderWay = 0;
  closed = false;
  readonly #script: Step[];
  readonly #rooms = new Map<RoomName, CheckedMessage[]>();

  constructor(...script: Step[]) {
    this.#script = script;
  }

  /** Goes on with these steps. */
  script(...steps: Step[]): void {
    this.#script.push(...steps);
  }

  /** The data of what a room holds, in its order. */
  stored(room: string): string[] {
    return (this.#rooms.get(room as RoomName) ?? []).map(({ data }) => data);
  }

  ids(room: string): string[] {
    return (this.#rooms.get(room as RoomName) ?? []).map(({ id }) => id);
  }

  async send(room: RoomName, messages: readonly Attempt[], signal: AbortSignal): Promise<readonly Outcome[]> {
    this.tries.push(messages.map(({ data }) => data));
    this.sentBefore.push(messages.map(({ sentAgoMs }) => sentAgoMs !== undefined));
    this.signals.push(signal);
    this.underWay += 1;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    try {
      let step: Step = this.#script.shift() ?? "store";
      if (typeof step === "function") step = step(messages);
      if (step instanceof Failure) {
        const failure = step;
        return messages.map(() => failure);
      }
      if (typeof step === "object") await step;
      const outcomes = messages.map((message) => this.#store(room, message));
      return step === "lose" ? messages.map(() => lost()) : outcomes;
    } finally {
      this.underWay -= 1;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  #store(room: RoomName, message: CheckedMessage): Outcome {
    const { id } = message;
    if (message.ephemeral) return { room, id, ephemeral: true };
    const log = this.#rooms.get(room) ?? [];
    this.#rooms.set(room, log);
    const known = log.findIndex((other) => other.id === id);
    if (known < 0) log.push(message);
    const offset = known < 0 ? log.length : known + 1;
    return { room, id, epoch: "e", offset, cursor: `e.${offset}.${id}`, duplicate: known >= 0 };
  }
}

function lost(): Failure {
  return new Failure(new HubError("unavailable", "the answer was lost"), false);
}

/** Makes a publisher whose back-off takes no time, unless told otherwise. */
export function scriptedPublisher(
  transport: Transport,
  options: { timeoutMs?: number; limits?: Partial<Limits>; random?: () => number } = {},
): RoomPublisher {
  const { timeoutMs = 2_000, limits, random = () => 0 } = options;
  return new RoomPublisher({ transport, timeoutMs, limits: { ...DEFAULT_LIMITS, ...limits }, random });
}
