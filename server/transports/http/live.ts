import { Router, type Request } from "express";
import { z } from "zod";
import { HubError } from "../../../shared/errors.ts";
import { encodeData } from "../../../shared/message.ts";
import { isEmpty, isForm, isJson, readForm, readJson } from "./body.ts";
import type { HttpContext } from "./context.ts";
import { sessionOf } from "./session.ts";

const LEVEL_LENGTH = 32;
const PROGRAM_LENGTH = 200;

/** Makes the routes for log sources that speak the BunnyLogs dialect. */
export function liveRouter({ hub, parsers, limits }: HttpContext): Router {
  const router = Router({ caseSensitive: true });

  router.post("/live/:id", readJson(limits), readForm(limits), async (request, response) => {
    const room = parsers.alias(streamId(request));
    const data = encodeData(entryOf(bodyOf(request)), limits);
    const [outcome] = await hub.publish(sessionOf(request), room, [{ event: "log", data }]);
    if (outcome instanceof HubError) throw outcome;
    response.status(204).end();
  });

  router.get("/live/:id", (request, response) => {
    const id = streamId(request);
    parsers.alias(id);
    response.redirect(302, `${request.baseUrl}/stream/${encodeURIComponent(id)}`);
  });

  return router;
}

/** A name with a kind of its own could not mean `stream:<id>`, which these paths promise. */
function streamId(request: Request): string {
  const id = String(request.params["id"]);
  if (id.includes(":")) throw new HubError("bad_room", "the id of a stream has no colon");
  return id;
}

function bodyOf(request: Request): Readonly<Record<string, unknown>> {
  const body: unknown = isEmpty(request) ? {} : request.body;
  const known = isEmpty(request) || isForm(request) || isJson(request);
  if (known && typeof body === "object" && body !== null && !Array.isArray(body)) return { ...body };
  throw new HubError("bad_request", "send a form or a JSON object: message, level, program, timestamp");
}

interface LogEntry {
  readonly message: string;
  readonly level: string;
  readonly program: string;
  /** ISO 8601. */
  readonly timestamp: string;
}

function entryOf(body: Readonly<Record<string, unknown>>): LogEntry {
  const text = (name: string, missing: string, maxLength: number): string => {
    const value = body[name] ?? missing;
    if (typeof value !== "string") throw new HubError("bad_request", `${name} must be text, once`);
    if (value.length > maxLength)
      throw new HubError("bad_request", `${name} has over ${maxLength} characters`);
    return value;
  };
  const entry = {
    message: text("message", "", Number.POSITIVE_INFINITY),
    level: text("level", "INFO", LEVEL_LENGTH),
    program: text("program", "api", PROGRAM_LENGTH),
    timestamp: text("timestamp", new Date().toISOString(), 64),
  };
  if (isoTime.safeParse(entry.timestamp).success) return entry;
  throw new HubError("bad_request", "timestamp must be ISO 8601, such as 2025-01-31T12:00:00.000Z");
}

const isoTime = z.iso.datetime({ offset: true, local: true });
