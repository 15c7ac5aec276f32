/** Every way in which a request can fail: its HTTP status, and whether the same request may succeed later. */
export const ERRORS = {
  bad_request: { http: 400, retryable: false },
  bad_room: { http: 400, retryable: false },
  bad_event: { http: 400, retryable: false },
  unauthorized: { http: 401, retryable: false },
  forbidden: { http: 403, retryable: false },
  bad_origin: { http: 403, retryable: false },
  not_found: { http: 404, retryable: false },
  id_reused: { http: 409, retryable: false },
  name_taken: { http: 409, retryable: false },
  too_large: { http: 413, retryable: false },
  too_many_rooms: { http: 429, retryable: false },
  rate_limited: { http: 429, retryable: true },
  unavailable: { http: 503, retryable: true },
  store_full: { http: 503, retryable: true },
  internal: { http: 500, retryable: true },
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** An error as it travels, in replies of every transport. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

/** How long a caller waits before it retries, in ms, where the error itself knows no better. */
const DEFAULT_RETRY_AFTER_MS = 1_000;

/** Is thrown for everything that the hub refuses; `code` is one of the table's and never changes its meaning. */
export class HubError extends Error {
  override readonly name = "HubError";
  readonly code: ErrorCode;
  /** Milliseconds after which a retry makes sense; only on retryable codes. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterMs = ERRORS[code].retryable ? (options.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS) : undefined;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get httpStatus(): number {
    return ERRORS[this.code].http;
  }

  toJSON(): ErrorBody {
    const body = { code: this.code, message: this.message, retryable: this.retryable };
    return this.retryAfterMs === undefined ? body : { ...body, retryAfterMs: this.retryAfterMs };
  }
}

/** Tells whether text is one of the table's codes. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERRORS, code);
}

/** Rebuilds an error from its travelling form; what is no such form becomes `internal`. */
export function errorFromBody(body: unknown): HubError {
  const { code, message, retryAfterMs } = (body ?? {}) as Partial<Record<keyof ErrorBody, unknown>>;
  const text = typeof message === "string" ? message : "the hub answered with something that is not an error";
  return new HubError(
    isErrorCode(code) ? code : "internal",
    text,
    typeof retryAfterMs === "number" ? { retryAfterMs } : {},
  );
}

/** Passes a HubError on as it is and wraps everything else as `internal`, whose text tells a stranger nothing. */
export function toHubError(error: unknown): HubError {
  if (error instanceof HubError) return error;
  return new HubError("internal", "the hub failed on this request; its log has the reason", { cause: error });
}
