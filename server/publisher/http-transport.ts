import { errorFromBody, HubError, type ErrorCode } from "../../shared/errors.ts";
import type { Published } from "../../shared/protocol.ts";
import type { RoomName } from "../../shared/room-name.ts";
import type { CheckedMessage } from "./message.ts";
import { Failure, refused, type Outcome, type Transport } from "./transport.ts";

/** Failures of a request that never reached anyone. */
const UNREACHED = new Set([
  "EAI_AGAIN",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Answers that did not come from a hub but from something before it. */
const PROXY_CODES: Readonly<Record<number, ErrorCode>> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  408: "unavailable",
  413: "too_large",
  425: "unavailable",
  429: "rate_limited",
};

/** Posts to a hub. */
export class HttpTransport implements Transport {
  /** As many connections as that stay open to the hub. */
  readonly batchesAtOnce = 32;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param url of the hub, without a slash at its end */
  constructor(url: string, key: string | undefined) {
    this.#url = url;
    const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
    this.#headers = { "content-type": "application/json", ...authorization };
  }

  async send(
    room: RoomName,
    messages: readonly CheckedMessage[],
    signal: AbortSignal,
  ): Promise<readonly Outcome[]> {
    const failed = await this.#post(room, messages, signal);
    return failed instanceof Failure ? messages.map(() => failed) : failed;
  }

  /** The connections are the process's own; they hold nothing up and close when they have been idle for some seconds. */
  async close(): Promise<void> {}

  async #post(
    room: RoomName,
    messages: readonly CheckedMessage[],
    signal: AbortSignal,
  ): Promise<readonly Outcome[] | Failure> {
    try {
      const response = await fetch(`${this.#url}/rooms/${encodeURIComponent(room)}/messages`, {
        method: "POST",
        headers: this.#headers,
        body: `[${messages.map(itemOf).join(",")}]`,
        // Most redirects turn a POST into a GET, and some lead the key to another host.
        redirect: "manual",
        signal,
      });
      return this.#read(response, await response.text(), messages);
    } catch (error) {
      return this.#unanswered(error, signal);
    }
  }

  #read(response: Response, text: string, messages: readonly CheckedMessage[]): readonly Outcome[] | Failure {
    const body = parse(text);
    if (response.ok) {
      const results = resultsOf(body, messages);
      if (results !== undefined) return results;
      return new Failure(this.#noHub("its answer is none of a hub's"), false);
    }
    if (isError(body)) return refused(errorFromBody(body.error));
    const { status } = response;
    if (status < 400)
      return new Failure(this.#noHub(`it leads to ${response.headers.get("location")}`), true);
    if (status === 404) return new Failure(this.#noHub("it answers 404"), true);
    const code = PROXY_CODES[status] ?? (status >= 500 ? "unavailable" : "bad_request");
    const after = Number(response.headers.get("retry-after") ?? Number.NaN) * 1_000;
    const options = Number.isFinite(after) ? { retryAfterMs: after } : {};
    return refused(new HubError(code, `${this.#url} answers ${status} without a reason`, options));
  }

  #noHub(reason: string): HubError {
    return new HubError("not_found", `there is no hub at ${this.#url} (ROOMCAST_URL): ${reason}`);
  }

  #unanswered(error: unknown, { aborted }: AbortSignal): Failure {
    const { cause } = error as { cause?: { code?: unknown; message?: unknown } };
    const code = typeof cause?.code === "string" ? cause.code : "";
    const reason = code === "" ? String(cause?.message ?? error) : code;
    const what = aborted ? "did not answer in time" : `can't be reached (${reason})`;
    const text = `the hub at ${this.#url} (ROOMCAST_URL) ${what}`;
    return new Failure(new HubError("unavailable", text, { cause: error }), UNREACHED.has(code));
  }
}

/** Spliced: the data has been encoded, and checked in this form. */
function itemOf({ id, event, data, ephemeral }: CheckedMessage): string {
  return `{"id":"${id}","event":"${event}",${ephemeral ? '"ephemeral":true,' : ""}"data":${data}}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isError(body: unknown): body is { readonly error: object } {
  return (
    typeof body === "object" &&
    body !== null &&
    "error" in body &&
    typeof body.error === "object" &&
    body.error !== null
  );
}

function resultsOf(body: unknown, messages: readonly CheckedMessage[]): Outcome[] | undefined {
  const { results } = (body ?? {}) as { results?: unknown };
  if (!Array.isArray(results) || results.length !== messages.length) return undefined;
  const outcomes = messages.map((message, i) => outcomeOf(results[i], message));
  return outcomes.includes(undefined) ? undefined : (outcomes as Outcome[]);
}

function outcomeOf(result: unknown, { room, id, ephemeral }: CheckedMessage): Outcome | undefined {
  if (isError(result)) return refused(errorFromBody(result.error));
  const { epoch, offset, cursor, duplicate } = (result ?? {}) as Partial<Record<keyof Published, unknown>>;
  if (ephemeral) return { room, id, ephemeral };
  if (typeof epoch !== "string" || typeof offset !== "number" || typeof cursor !== "string") return undefined;
  return { room, id, epoch, offset, cursor, duplicate: duplicate === true };
}
