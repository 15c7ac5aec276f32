import { HubError } from "../../shared/errors.ts";
import type { PublishReply } from "../../shared/protocol.ts";
import type { CheckedMessage } from "./message.ts";
import { Failure, type Attempt, type Outcome } from "./transport.ts";

/** How long a caller waits. */
export interface Patience {
  readonly timeoutMs: number;
  /** `performance.now()` of the end. */
  readonly deadline: number;
}

/** One message on its way: until it is answered, refused, its time is up, or its caller gives it up. */
export class Outgoing {
  readonly message: CheckedMessage;
  readonly answer: Promise<PublishReply>;
  /** Is called if the message is no longer wanted before it has its answer. */
  onGivenUp: (() => void) | undefined;
  readonly #patience: Patience;
  #resolve!: (reply: PublishReply) => void;
  #reject!: (reason: unknown) => void;
  #open = true;
  #underWay = false;
  /** An earlier try may have had its effect. */
  #unsure = false;
  #firstTryAt: number | undefined;
  /** The log has remembered the id since the first try, and needs no other help to know it again. */
  readonly #isRemembered: boolean;
  #failures = 0;
  #last: HubError | undefined;

  /** @param unsureSince `performance.now()` of an earlier call's first try, if that may have stored the message */
  constructor(message: CheckedMessage, patience: Patience, unsureSince?: number) {
    this.message = message;
    this.#firstTryAt = unsureSince;
    this.#unsure = unsureSince !== undefined;
    this.#isRemembered = message.keyed && unsureSince === undefined;
    this.#patience = patience;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get restMs(): number {
    return Math.max(0, this.#patience.deadline - performance.now());
  }

  /** How long the hub asked to be left alone, in ms; where it is merely away, the own back-off is enough. */
  get pauseMs(): number {
    const asks = this.#last?.code === "rate_limited" || this.#last?.code === "store_full";
    return asks ? (this.#last?.retryAfterMs ?? 0) : 0;
  }

  /** When an earlier try may have stored what is now given up: `performance.now()` of the first one. */
  get unsureSince(): number | undefined {
    return this.#unsure || this.#underWay ? this.#firstTryAt : undefined;
  }

  /** Begins a try. */
  start(): Attempt {
    const now = performance.now();
    this.#firstTryAt ??= now;
    this.#underWay = true;
    return this.#unsure && !this.#isRemembered
      ? { ...this.message, sentAgoMs: now - this.#firstTryAt }
      : this.message;
  }

  /** Takes what a try brought; the message stays open if another one may do better. */
  take(outcome: Outcome): void {
    this.#underWay = false;
    if (!this.#open) return;
    if (!(outcome instanceof Failure)) {
      this.#open = false;
      return this.#resolve(outcome);
    }
    const { error, unsent } = outcome;
    this.#failures += 1;
    this.#last = error;
    this.#unsure ||= !unsent;
    // Only the log knows a message again, and nothing remembers an ephemeral one: a second try might be a second message.
    if (!error.retryable || (this.message.ephemeral && !unsent)) this.#end(error);
    else if (this.pauseMs > this.restMs)
      this.#end(this.#late("no time is left for the pause that the hub asks for"));
  }

  timeUp(): void {
    this.giveUp(this.#late(`no answer within ${this.#patience.timeoutMs} ms`));
  }

  giveUp(reason: unknown): void {
    if (!this.#open) return;
    this.#end(reason);
    this.onGivenUp?.();
  }

  #end(reason: unknown): void {
    this.#open = false;
    this.#reject(reason);
  }

  #late(what: string): HubError {
    const last = this.#last;
    const unsure = this.#underWay || this.#unsure;
    // The codes that say "certainly not stored" are true of one try, not of all.
    const unknown = last === undefined || this.#underWay || (this.#unsure && this.pauseMs > 0);
    const tries =
      last === undefined ? "" : ` (tries that failed: ${this.#failures}, the last: ${last.message})`;
    return new HubError(unknown ? "unavailable" : last.code, `${what}${tries}; ${this.#advice(unsure)}`, {
      cause: last,
    });
  }

  #advice(unsure: boolean): string {
    const { id, ephemeral } = this.message;
    if (!unsure) return "it was not sent";
    if (ephemeral) return "it may have been delivered";
    return `it may be stored: sent again with the id ${id} it stays one message`;
  }
}
