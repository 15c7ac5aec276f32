import type { HubError } from "../../../shared/errors.ts";
import { blockOf } from "./frame.ts";
import { REFUSED_ID } from "./request.ts";

/** A reader that comes back by itself does so after a time of its own between these, in ms. */
const RETRY_MS = { least: 1_000, most: 3_000 };

/** Says how long the reader waits before it comes back, so that not all come at once. */
export function retryLine(): string {
  return `retry: ${Math.round(RETRY_MS.least + Math.random() * (RETRY_MS.most - RETRY_MS.least))}\n\n`;
}

/**
 * The last event of a stream that the hub ends: the reader comes back by itself if that may help. Otherwise its id sees
 * to it that a reader which tries all the same is turned away for good.
 */
export function refusalOf({ code, message, retryable }: HubError, channels: readonly string[]): string {
  const condition = CONDITIONS[code] ?? "bad-request";
  const text =
    condition === "forbidden"
      ? `Permission denied to channels: ${channels.join(", ")}`
      : condition === "bad-request"
        ? `Invalid request: ${message}`
        : message;
  const data = JSON.stringify({ condition, text, ...(channels.length === 0 ? {} : { channels }) });
  const block = blockOf({ event: "stream-error", data, ...(retryable ? {} : { id: REFUSED_ID }) });
  return retryable ? retryLine() + block : block;
}

const CONDITIONS: Readonly<Partial<Record<HubError["code"], string>>> = {
  forbidden: "forbidden",
  unavailable: "unavailable",
  internal: "internal-error",
};

/** The last event for a reader that took too little of what was sent: it comes back, and goes on after what it has. */
export function slownessOf(): string {
  const text = "the reader takes too little of what is sent: it goes on after its last id";
  return retryLine() + blockOf({ event: "stream-error", data: JSON.stringify({ condition: "slow", text }) });
}
