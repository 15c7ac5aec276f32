import { Router, type Request, type Response } from "express";
import { HubError, toHubError } from "../../../shared/errors.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import { attempt, publishItems, publishToRooms, type Outcome } from "./batch.ts";
import { isJson, isNdjson, readJson } from "./body.ts";
import type { HttpContext } from "./context.ts";
import { report } from "./errors.ts";
import { answerLines } from "./ndjson.ts";
import { queryOf } from "./query.ts";
import { sessionOf } from "./session.ts";

/** Bytes of a line beside its data: the names of the fields, event and id. */
const LINE_SLACK = 1_024;

/** Makes the routes that publish messages and read them. */
export function messagesRouter(context: HttpContext): Router {
  const { hub, parsers, limits } = context;
  const router = Router({ caseSensitive: true });

  router.post("/rooms/:room/messages", readJson(limits), async (request, response) => {
    const room = parsers.room(request.params["room"]);
    if (isNdjson(request)) return publishLines(context, room, request, response);
    if (!isJson(request)) {
      throw new HubError(
        "bad_request",
        "send application/json (a message or an array of them) or application/x-ndjson (a message a line)",
      );
    }
    const body = request.body as unknown;
    if (Array.isArray(body)) return publishArray(context, room, body, request, response);
    const publication = parsers.message(withKey(body, request));
    const [outcome] = await hub.publish(sessionOf(request), room, [publication]);
    if (outcome instanceof HubError) throw outcome;
    return void response.status(201).json(outcome);
  });

  router.post("/messages", readJson(limits), async (request, response) => {
    const body = request.body as unknown;
    if (!isJson(request) || !Array.isArray(body)) {
      throw new HubError("bad_request", "send application/json: an array of {room, event, data, id?}");
    }
    checkArray(context, body, request);
    const items = body.map((item) => attempt(() => parsers.publish(item)));
    const outcomes = await publishToRooms(hub, sessionOf(request), items);
    sendResults(context, outcomes, response);
  });

  router.get("/rooms/:room/messages", async (request, response) => {
    const query = queryOf(request, ["after", "before", "limit"]);
    const { room, ...range } = parsers.history({ ...query, room: request.params["room"] });
    response.json(await hub.history(sessionOf(request), room, range));
  });

  router.delete("/rooms/:room/messages", async (request, response) => {
    await hub.clear(sessionOf(request), parsers.room(request.params["room"]));
    response.status(204).end();
  });

  return router;
}

async function publishArray(
  context: HttpContext,
  room: RoomName,
  body: readonly unknown[],
  request: Request,
  response: Response,
): Promise<void> {
  checkArray(context, body, request);
  const items = body.map((item) => attempt(() => context.parsers.message(item)));
  sendResults(context, await publishItems(context.hub, sessionOf(request), room, items), response);
}

function publishLines(
  context: HttpContext,
  room: RoomName,
  request: Request,
  response: Response,
): Promise<void> {
  const { hub, parsers, limits } = context;
  refuseKey(request);
  if ((request.headers["content-encoding"] ?? "identity") !== "identity") {
    throw new HubError("bad_request", "NDJSON is read without Content-Encoding");
  }
  const session = sessionOf(request);

  return answerLines(request, response, {
    // Written with \u escapes, a character takes up to three times its bytes.
    lineBytes: limits.dataBytes * 3 + LINE_SLACK,
    batchLines: limits.batchMessages,
    stopping: context.stopping,
    answer: async (lines) => {
      const items = lines.map((line) =>
        line instanceof HubError ? line : attempt(() => parsers.message(line.value)),
      );
      const outcomes = await publishItems(hub, session, room, items).catch((failure: unknown) => {
        const refusal = toHubError(failure);
        return items.map((item) => (item instanceof HubError ? item : refusal));
      });
      return resultsOf(context, outcomes, response);
    },
  });
}

/** Puts the header's id into a message. */
function withKey(body: unknown, request: Request): unknown {
  const key = request.get("Idempotency-Key");
  if (key === undefined || typeof body !== "object" || body === null) return body;
  if ("id" in body && body.id !== key) {
    throw new HubError("bad_request", "Idempotency-Key and the message's id are not the same");
  }
  return { ...body, id: key };
}

/** One key for many messages would make a caller believe that they may be sent again. */
function refuseKey(request: Request): void {
  if (request.get("Idempotency-Key") === undefined) return;
  throw new HubError("bad_request", "Idempotency-Key is for one message: give each of many its own id");
}

function checkArray({ limits }: HttpContext, body: readonly unknown[], request: Request): void {
  refuseKey(request);
  if (body.length <= limits.batchMessages) return;
  throw new HubError("too_large", `an array has at most ${limits.batchMessages} messages`);
}

function sendResults(context: HttpContext, outcomes: readonly Outcome[], response: Response): void {
  response.status(201).json({ results: resultsOf(context, outcomes, response) });
}

function resultsOf(
  { observer }: HttpContext,
  outcomes: readonly Outcome[],
  response: Response,
): readonly unknown[] {
  const errors = outcomes.filter((outcome) => outcome instanceof HubError);
  // One bug that befalls many items is one entry of the log.
  for (const error of new Set(errors)) report(observer, response, error);
  return outcomes.map((outcome) => (outcome instanceof HubError ? { error: outcome } : outcome));
}
