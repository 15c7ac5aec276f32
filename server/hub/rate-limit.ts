import { TokenBucket } from "limiter";
import { HubError } from "../../shared/errors.ts";
import type { Limits } from "../../shared/limits.ts";

/** Counts what one connection publishes: so many messages per second in the long run, so many at once. */
export class RateLimit {
  readonly #bucket: TokenBucket;

  constructor(limits: Pick<Limits, "messagesPerSecond" | "messageBurst">) {
    this.#bucket = new TokenBucket({
      bucketSize: limits.messageBurst,
      tokensPerInterval: limits.messagesPerSecond,
      interval: "second",
    });
    // A bucket of this library starts empty; a connection starts with its burst.
    this.#bucket.content = limits.messageBurst;
  }

  /**
   * Takes messages from the allowance.
   *
   * @throws HubError `rate_limited` with the time after which so many fit; nothing is taken then
   */
  take(messages: number): void {
    if (this.#bucket.tryRemoveTokens(messages)) return;
    const { bucketSize } = this.#bucket;
    const retryAfterMs = this.#bucket.getWaitTime(Math.min(messages, bucketSize));
    throw new HubError("rate_limited", "this connection publishes too fast", {
      retryAfterMs: Math.max(1, retryAfterMs),
    });
  }
}
