import type { IncomingMessage, ServerResponse } from "node:http";
import { parseJson, readWhole, type Body } from "./body.ts";
import type { HttpContext } from "./context.ts";
import { sendError } from "./errors.ts";
import { publishIntoMany, publishIntoRoom } from "./publishing.ts";
import { admit, crossOrigin } from "./security.ts";

const MANY = "/messages";
/** In the characters that clients write; what all others mean Express knows. */
const ONE_ROOM = /^\/rooms\/([\w.~:@!$&'()*+,;=%-]+)\/messages$/;
const JSON_TYPE = /^application\/json(; ?charset=utf-8)?$/i;
const LINES_TYPE = /^application\/(x-)?ndjson$/i;

type Publish = (body: Body, request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Makes what answers a post of messages if there is nothing unusual about it; it tells whether it does.
 *
 * All others are for Express, whose routes do the same by the same `publishing.ts`. Express and its body parser took
 * most of the time of a single post.
 */
export function plainPosts(
  context: HttpContext,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const kind = plainKind(request, context.limits.batchBytes);
    const publish = kind === undefined ? undefined : routeOf(context, request.url!);
    if (kind === undefined || publish === undefined) return false;
    void answer(context, kind, publish, request, response);
    return true;
  };
}

async function answer(
  context: HttpContext,
  kind: "json" | "lines",
  publish: Publish,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    admit(context, request, response);
    crossOrigin(request, response, () => undefined);
    const body: Body = kind === "lines" ? { kind } : { kind, value: parseJson(await readWhole(request)) };
    await publish(body, request, response);
  } catch (failure) {
    sendError(context.observer, response, failure);
  }
}

/** What a post has as its body; undefined for every other request, and for a body that is not simply there to be read. */
function plainKind(request: IncomingMessage, batchBytes: number): "json" | "lines" | undefined {
  const { method, headers } = request;
  // Another program's parser may have been here before.
  if (method !== "POST" || request.readableDidRead || "body" in request) return undefined;
  if (headers["content-encoding"] !== undefined) return undefined;
  const type = headers["content-type"] ?? "";
  if (LINES_TYPE.test(type)) return "lines";
  const length = Number(headers["content-length"]);
  return JSON_TYPE.test(type) && length > 0 && length <= batchBytes ? "json" : undefined;
}

function routeOf(context: HttpContext, url: string): Publish | undefined {
  if (url === MANY) return (body, request, response) => publishIntoMany(context, body, request, response);
  const segment = ONE_ROOM.exec(url)?.[1];
  const room = segment === undefined ? undefined : decoded(segment);
  if (room === undefined) return undefined;
  return (body, request, response) => publishIntoRoom(context, room, body, request, response);
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
