import type { ErrorCode } from "../../shared/errors.ts";

/** The HTTP status of every error. */
export const HTTP_STATUS: Readonly<Record<ErrorCode, number>> = {
  bad_request: 400,
  bad_room: 400,
  bad_event: 400,
  unauthorized: 401,
  forbidden: 403,
  bad_origin: 403,
  not_found: 404,
  id_reused: 409,
  name_taken: 409,
  too_large: 413,
  too_many_rooms: 429,
  rate_limited: 429,
  unavailable: 503,
  store_full: 503,
  internal: 500,
};
