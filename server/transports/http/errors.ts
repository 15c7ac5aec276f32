import type { ServerResponse } from "node:http";
import type { ErrorRequestHandler } from "express";
import { HubError, toHubError } from "../../../shared/errors.ts";
import type { Observer } from "../../hub/observer.ts";
import { HTTP_STATUS } from "../http-status.ts";
import { NO_JSON, NO_UTF8 } from "./body.ts";
import { sendJson } from "./replies.ts";

/** The header with the id under which the hub's log speaks of a request. */
export const REQUEST_ID = "X-Request-Id";

/** What Express' body parsers refuse, by their `type`; the rest of what they say is not for strangers. */
const BODY_FAULTS: Readonly<Record<string, string>> = {
  "charset.unsupported": NO_UTF8,
  "encoding.unsupported": "the body's Content-Encoding must be gzip, deflate, br or identity",
  "entity.parse.failed": NO_JSON,
  "request.aborted": "the request ended before its body did",
  "request.size.invalid": "the body's size is not its Content-Length",
};

/** Answers every error that comes to Express. */
export function handleErrors(observer: Observer): ErrorRequestHandler {
  return (failure: unknown, _request, response, _next) => sendError(observer, response, failure);
}

/** Answers an error in the one form that errors have. */
export function sendError(observer: Observer, response: ServerResponse, failure: unknown): void {
  const error = report(observer, response, asHubError(failure));
  // Half an answer can't be taken back; a broken connection at least shows that it is half.
  if (response.headersSent) return void response.destroy();
  const { retryAfterMs } = error;
  if (retryAfterMs !== undefined) response.setHeader("Retry-After", String(Math.ceil(retryAfterMs / 1_000)));
  sendJson(response, HTTP_STATUS[error.code], JSON.stringify({ error }));
}

/** Makes an error one of the table's and reports it if it is a bug, with the request's id. */
export function report(observer: Observer, response: ServerResponse, failure: unknown): HubError {
  const error = toHubError(failure);
  if (error.code === "internal") {
    observer.failure(`request ${String(response.getHeader(REQUEST_ID))}`, error.cause ?? error);
  }
  return error;
}

function asHubError(failure: unknown): HubError {
  if (failure instanceof HubError || typeof failure !== "object" || failure === null)
    return toHubError(failure);
  const { name, status, type } = failure as Partial<Record<"name" | "status" | "type", unknown>>;
  if (name === "URIError") return new HubError("bad_room", "the path's percent-encoding is broken");
  if (status === 413) return new HubError("too_large", "the body takes too many bytes");
  if (status === 404) return new HubError("not_found", "there is no such page");
  if (typeof status !== "number" || status < 400 || status >= 500) return toHubError(failure);
  return new HubError("bad_request", BODY_FAULTS[String(type)] ?? "the request can't be read");
}
