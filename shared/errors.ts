/** Every way in which a request can fail, and whether the same request may succeed later. */
export const RETRYABLE = {
  bad_request: false,
  bad_room: false,
  bad_event: false,
  unauthorized: false,
  forbidden: false,
  bad_origin: false,
  not_found: false,
  id_reused: false,
  name_taken: false,
  too_large: false,
  too_many_rooms: false,
  rate_limited: true,
  unavailable: true,
  store_full: true,
  internal: true,
} as const;

export type ErrorCode = keyof typeof RETRYABLE;

/** An error as it travels, in replies of every transport. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

/** How long a caller waits before it retries, in ms, where the error itself knows no better. */
const DEFAULT_RETRY_AFTER_MS = 1_000;

interface HubErrorOptions {
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** Is thrown for everything that the hub refuses; `code` is one of the table's and never changes its meaning. */
export class HubError extends Error {
  override readonly name = "HubError";
  readonly code: ErrorCode;
  /** Milliseconds after which a retry makes sense; only on retryable codes. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: HubErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterMs = RETRYABLE[code] ? (options.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS) : undefined;
  }

  get retryable(): boolean {
    return RETRYABLE[this.code];
  }

  toJSON(): ErrorBody {
    const { code, message, retryable, retryAfterMs } = this;
    return { code, message, retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
}

/** Tells whether text is one of the table's codes. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(RETRYABLE, code);
}

/** Rebuilds an error from its travelling form; what is no such form becomes `internal`. */
export function errorFromBody(body: unknown): HubError {
  const { code, message, retryAfterMs } = (body ?? {}) as Partial<Record<keyof ErrorBody, unknown>>;
  const text = typeof message === "string" ? message : "the hub gave no reason";
  const isNumber = typeof retryAfterMs === "number";
  return new HubError(isErrorCode(code) ? code : "internal", text, {
    retryAfterMs: isNumber ? retryAfterMs : undefined,
  });
}

/** Passes a HubError on as it is and wraps everything else as `internal`, whose text tells a stranger nothing. */
export function toHubError(error: unknown): HubError {
  if (error instanceof HubError) return error;
  return new HubError("internal", "the hub failed on this request; its log has the reason", { cause: error });
}
