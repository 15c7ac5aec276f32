import { isUtf8 } from "node:buffer";
import express, { type Request, type RequestHandler } from "express";
import { HubError } from "../../../shared/errors.ts";
import type { Limits } from "../../../shared/limits.ts";

/** A body that is no stream of lines has so long to arrive, in ms. */
const BODY_MS = 30_000;
const NDJSON = ["application/x-ndjson", "application/ndjson"];

/** Reads a JSON body; every other kind of body is left alone. */
export function readJson({ batchBytes }: Limits): RequestHandler {
  return inTime(express.json({ limit: batchBytes, strict: false, verify: checkText }));
}

/** Reads a form as browsers send it; every other kind of body is left alone. */
export function readForm({ batchBytes }: Limits): RequestHandler {
  return inTime(express.urlencoded({ extended: false, limit: batchBytes, verify: checkEncoding }));
}

export function isJson(request: Request): boolean {
  return Boolean(request.is("application/json"));
}

export function isForm(request: Request): boolean {
  return Boolean(request.is("application/x-www-form-urlencoded"));
}

export function isNdjson(request: Request): boolean {
  return Boolean(request.is(NDJSON));
}

/** Neither a body nor the announcement of one. */
export function isEmpty({ headers }: Request): boolean {
  return (
    headers["content-type"] === undefined &&
    headers["transfer-encoding"] === undefined &&
    Number(headers["content-length"] ?? 0) === 0
  );
}

/** Cuts off a caller who sends its body too slowly, as one does who wants to keep many connections busy. */
function inTime(read: RequestHandler): RequestHandler {
  return (request, response, next) => {
    const late = setTimeout(() => request.destroy(), BODY_MS);
    void read(request, response, (error?: unknown) => {
      clearTimeout(late);
      next(error);
    });
  };
}

function checkText(request: unknown, response: unknown, body: Buffer, charset: string): void {
  if (body.length === 0) throw new HubError("bad_request", "the body is empty: send JSON");
  checkEncoding(request, response, body, charset);
}

/** The decoder behind Express would put U+FFFD for what is no UTF-8, and so store what nobody has sent. */
function checkEncoding(_request: unknown, _response: unknown, body: Buffer, charset: string): void {
  if (charset !== "utf-8" || !isUtf8(body)) throw new HubError("bad_request", "the body must be UTF-8");
}
