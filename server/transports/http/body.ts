import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import express, { type Request, type RequestHandler } from "express";
import { HubError } from "../../../shared/errors.ts";
import type { Limits } from "../../../shared/limits.ts";

/** What was sent to be published; lines are still to be read. */
export type Body =
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "lines" }
  | { readonly kind: "other" };

export const NO_UTF8 = "the body must be UTF-8";
export const NO_JSON = "the body is no valid JSON";
/** A body that is no stream of lines has so long to arrive, in ms. */
const BODY_MS = 30_000;
const NDJSON = ["application/x-ndjson", "application/ndjson"];
const BYTE_ORDER_MARK = "\uFEFF";

/** Reads a JSON body; every other kind of body is left alone. */
export function readJson({ batchBytes }: Limits): RequestHandler {
  return inTime(express.json({ limit: batchBytes, strict: false, verify: checkText }));
}

/** Reads a form as browsers send it; every other kind of body is left alone. */
export function readForm({ batchBytes }: Limits): RequestHandler {
  return inTime(express.urlencoded({ extended: false, limit: batchBytes, verify: checkEncoding }));
}

/** Reads a body of known length to its end; never resolves for whoever breaks off, who could get no answer. */
export function readWhole(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const late = cutOffLate(request);
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on("close", () => clearTimeout(late));
  });
}

/** Parses a JSON body. @throws HubError `bad_request`, with the words that it has behind Express */
export function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw new HubError("bad_request", NO_UTF8);
  try {
    return JSON.parse(withoutMark(body.toString())) as unknown;
  } catch {
    throw new HubError("bad_request", NO_JSON);
  }
}

/** Takes the byte order mark off a text that begins with one. */
export function withoutMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

/** What Express has read of a request. */
export function bodyOf(request: Request): Body {
  if (isJson(request)) return { kind: "json", value: request.body };
  return request.is(NDJSON) ? { kind: "lines" } : { kind: "other" };
}

export function isJson(request: Request): boolean {
  return Boolean(request.is("application/json"));
}

export function isForm(request: Request): boolean {
  return Boolean(request.is("application/x-www-form-urlencoded"));
}

/** Neither a body nor the announcement of one. */
export function isEmpty({ headers }: Request): boolean {
  return (
    headers["content-type"] === undefined &&
    headers["transfer-encoding"] === undefined &&
    Number(headers["content-length"] ?? 0) === 0
  );
}

function inTime(read: RequestHandler): RequestHandler {
  return (request, response, next) => {
    const late = cutOffLate(request);
    void read(request, response, (error?: unknown) => {
      clearTimeout(late);
      next(error);
    });
  };
}

/** Cuts off a caller who sends its body too slowly, as one does who wants to keep many connections busy. */
function cutOffLate(request: IncomingMessage): NodeJS.Timeout {
  return setTimeout(() => request.destroy(), BODY_MS);
}

function checkText(request: unknown, response: unknown, body: Buffer, charset: string): void {
  if (body.length === 0) throw new HubError("bad_request", "the body is empty: send JSON");
  checkEncoding(request, response, body, charset);
}

/** The decoder behind Express would put U+FFFD for what is no UTF-8, and so store what nobody has sent. */
function checkEncoding(_request: unknown, _response: unknown, body: Buffer, charset: string): void {
  if (charset !== "utf-8" || !isUtf8(body)) throw new HubError("bad_request", NO_UTF8);
}
