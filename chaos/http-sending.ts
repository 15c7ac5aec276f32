import type { Outcome, Outgoing } from "./publishing.ts";

/** An answer that takes longer is taken for lost, in ms. */
const ANSWER_MS = 4_000;

/** Publishes over HTTP: first at the own node, after a failure at the next one, with the same ids. */
export class HttpSender {
  readonly #urls: readonly string[];
  readonly #home: number;
  #node: number;

  constructor(urls: readonly string[], home: number) {
    this.#urls = urls;
    this.#home = home;
    this.#node = home;
  }

  /** The node that gets the next message. */
  get node(): number {
    return this.#node;
  }

  readonly send = async (messages: readonly Outgoing[]): Promise<readonly Outcome[]> => {
    const [{ room }] = messages as [Outgoing, ...Outgoing[]];
    const body = JSON.stringify(messages.map(({ event, data, id }) => ({ event, data, id })));
    try {
      const reply = await fetch(`${this.#urls[this.#node]}/rooms/${encodeURIComponent(room)}/messages`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (!reply.ok) return this.#failed(messages, `HTTP ${reply.status}`);
      const { results } = (await reply.json()) as { results: readonly Result[] };
      this.#node = this.#home;
      return results.map(outcomeOf);
    } catch (error) {
      return this.#failed(messages, (error as Error).name);
    }
  };

  #failed(messages: readonly Outgoing[], code: string): readonly Outcome[] {
    this.#node = (this.#node + 1) % this.#urls.length;
    return messages.map(() => ({ kind: "unknown", code }));
  }
}

/** An answer to one message, over HTTP or Socket.IO. */
export type Result =
  | {
      readonly epoch: string;
      readonly offset: number;
      readonly duplicate: boolean;
      readonly error?: undefined;
    }
  | { readonly error: { readonly code: string } };

/** What an answer says of the message's fate. */
export function outcomeOf(result: Result): Outcome {
  if (result.error === undefined) {
    const { epoch, offset, duplicate } = result;
    return { kind: "ok", epoch, offset, duplicate };
  }
  const { code } = result.error;
  return failure(code);
}

/** A refusal for the moment is tried again as well: it is as good as unknown to who repeats it. */
export function failure(code: string): Outcome {
  const passing = ["unavailable", "internal", "rate_limited", "store_full"].includes(code);
  return { kind: passing ? "unknown" : "fail", code };
}
