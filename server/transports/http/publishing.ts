import type { IncomingMessage, ServerResponse } from "node:http";
import { HubError, toHubError } from "../../../shared/errors.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import { attempt, publishItems, publishToRooms } from "./batch.ts";
import type { Body } from "./body.ts";
import type { HttpContext } from "./context.ts";
import { report } from "./errors.ts";
import { answerLines } from "./ndjson.ts";
import { outcomeJson, sendJson, type Outcome } from "./replies.ts";
import { sessionOf } from "./session.ts";

/** Bytes of a line beside its data: the names of the fields, event and id. */
const LINE_SLACK = 1_024;

/** Publishes what was posted to one room, and answers. @throws HubError what the post as a whole is refused with */
export async function publishIntoRoom(
  context: HttpContext,
  name: unknown,
  body: Body,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { hub, parsers } = context;
  const room = parsers.room(name);
  if (body.kind === "lines") return publishLines(context, room, request, response);
  if (body.kind !== "json") {
    throw new HubError(
      "bad_request",
      "send application/json (a message or an array of them) or application/x-ndjson (a message a line)",
    );
  }
  const { value } = body;
  if (Array.isArray(value)) return publishArray(context, room, value, request, response);
  const publication = parsers.message(withKey(value, request));
  const [outcome] = await hub.publish(sessionOf(request), room, [publication]);
  if (outcome instanceof HubError) throw outcome;
  sendJson(response, 201, outcomeJson(outcome!));
}

/** Publishes an array of messages that name their rooms, and answers. @throws HubError what it is refused with */
export async function publishIntoMany(
  context: HttpContext,
  body: Body,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (body.kind !== "json" || !Array.isArray(body.value)) {
    throw new HubError("bad_request", "send application/json: an array of {room, event, data, id?}");
  }
  checkArray(context, body.value, request);
  const items = body.value.map((item) => attempt(() => context.parsers.publish(item)));
  const outcomes = await publishToRooms(context.hub, sessionOf(request), items);
  sendResults(context, outcomes, response);
}

async function publishArray(
  context: HttpContext,
  room: RoomName,
  body: readonly unknown[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  checkArray(context, body, request);
  const items = body.map((item) => attempt(() => context.parsers.message(item)));
  sendResults(context, await publishItems(context.hub, sessionOf(request), room, items), response);
}

function publishLines(
  context: HttpContext,
  room: RoomName,
  request: IncomingMessage,
  response: ServerResponse,
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

function keyOf({ headers }: IncomingMessage): string | undefined {
  // Node joins what is there twice.
  return headers["idempotency-key"] as string | undefined;
}

/** Puts the header's id into a message. */
function withKey(body: unknown, request: IncomingMessage): unknown {
  const key = keyOf(request);
  if (key === undefined || typeof body !== "object" || body === null) return body;
  if ("id" in body && body.id !== key) {
    throw new HubError("bad_request", "Idempotency-Key and the message's id are not the same");
  }
  return { ...body, id: key };
}

/** One key for many messages would make a caller believe that they may be sent again. */
function refuseKey(request: IncomingMessage): void {
  if (keyOf(request) === undefined) return;
  throw new HubError("bad_request", "Idempotency-Key is for one message: give each of many its own id");
}

function checkArray({ limits }: HttpContext, body: readonly unknown[], request: IncomingMessage): void {
  refuseKey(request);
  if (body.length <= limits.batchMessages) return;
  throw new HubError("too_large", `an array has at most ${limits.batchMessages} messages`);
}

function sendResults(context: HttpContext, outcomes: readonly Outcome[], response: ServerResponse): void {
  sendJson(response, 201, `{"results":[${resultsOf(context, outcomes, response).join(",")}]}`);
}

/** Each outcome as JSON text. */
function resultsOf(
  { observer }: HttpContext,
  outcomes: readonly Outcome[],
  response: ServerResponse,
): readonly string[] {
  const errors = outcomes.filter((outcome) => outcome instanceof HubError);
  // One bug that befalls many items is one entry of the log.
  for (const error of new Set(errors)) report(observer, response, error);
  return outcomes.map(outcomeJson);
}
