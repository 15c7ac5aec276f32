import { Router } from "express";
import { RETRYABLE, type ErrorCode } from "../../../shared/errors.ts";
import type { JsonSchema, Parsers } from "../schemas.ts";
import type { HttpContext } from "./context.ts";
import { COMMON_ERRORS, ROUTES, type Route } from "./routes.ts";
import { HTTP_STATUS } from "../http-status.ts";

/** Makes the route that describes all others. */
export function openapiRouter({ parsers, version }: HttpContext): Router {
  const router = Router({ caseSensitive: true });
  const document = describeApi(parsers, version);
  router.get("/openapi.json", (request, response) => {
    // Where the hub is mounted is known only now.
    response.json({ ...document, servers: [{ url: request.baseUrl === "" ? "/" : request.baseUrl }] });
  });
  return router;
}

/** Makes the OpenAPI 3.1 document of the table of routes. */
function describeApi({ jsonSchemas }: Parsers, version: string): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of ROUTES) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method]: describeRoute(route) };
  }
  const { message, publish } = jsonSchemas;
  return {
    openapi: "3.1.0",
    info: { title: "roomcast", version, description: "A hub in which every room is a log with positions." },
    paths,
    components: {
      schemas: {
        ...SCHEMAS,
        Message: message,
        MessageOrArray: { anyOf: [message, arrayOf("Message")] },
        Publish: publish,
      },
      headers: {
        RetryAfter: { description: "seconds after which a retry makes sense", schema: { type: "integer" } },
        RequestId: {
          description: "under which the hub's log speaks of the request",
          schema: { type: "string" },
        },
      },
    },
  };
}

function describeRoute(route: Route): JsonSchema {
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const { status, text, body } = route.reply;
  return {
    summary: route.summary,
    parameters: [
      ...names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
      ...Object.entries(route.query ?? {}).map(([name, description]) => ({
        name,
        in: "query",
        description,
        schema: { type: name === "limit" ? "integer" : "string" },
      })),
      ...(route.keyed === true
        ? [
            {
              name: "Idempotency-Key",
              in: "header",
              description: "the message's id",
              schema: { type: "string" },
            },
          ]
        : []),
    ],
    ...(route.body === undefined ? {} : { requestBody: { required: true, content: contentOf(route.body) } }),
    responses: {
      [status]: { description: text, ...(body === undefined ? {} : { content: contentOf(body) }) },
      ...describeErrors([...COMMON_ERRORS, ...route.errors]),
    },
  };
}

function describeErrors(codes: readonly ErrorCode[]): JsonSchema {
  const responses: Record<number, unknown> = {};
  for (const http of Object.values(HTTP_STATUS)) {
    const found = codes.filter((code) => HTTP_STATUS[code] === http);
    if (found.length === 0) continue;
    const retryable = found.some((code) => RETRYABLE[code]);
    responses[http] = {
      description: [...new Set(found)].join(", "),
      headers: {
        "X-Request-Id": ref("headers/RequestId"),
        ...(retryable ? { "Retry-After": ref("headers/RetryAfter") } : {}),
      },
      content: contentOf({ "application/json": "Error" }),
    };
  }
  return responses;
}

function contentOf(body: Readonly<Record<string, string>>): JsonSchema {
  return Object.fromEntries(
    Object.entries(body).map(([type, name]) => [type, { schema: ref(`schemas/${name}`) }]),
  );
}

function ref(name: string): JsonSchema {
  return { $ref: `#/components/${name}` };
}

function arrayOf(name: string): JsonSchema {
  return { type: "array", items: ref(`schemas/${name}`) };
}

function object(properties: Readonly<Record<string, unknown>>, optional: readonly string[] = []): JsonSchema {
  return {
    type: "object",
    properties,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
  };
}

const STRING = { type: "string" };
const INTEGER = { type: "integer" };
const BOOLEAN = { type: "boolean" };
const PLACE = { room: STRING, id: STRING, epoch: STRING, offset: INTEGER };
const FROM = object({ user: STRING, name: STRING });

/** The schemas that no check of the hub's own has; those of replies say what the types say. */
const SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Error: object({
    error: object(
      { code: { enum: Object.keys(RETRYABLE) }, message: STRING, retryable: BOOLEAN, retryAfterMs: INTEGER },
      ["retryAfterMs"],
    ),
  }),
  Position: object({ epoch: STRING, offset: INTEGER, id: STRING }),
  Published: object({ ...PLACE, cursor: STRING, duplicate: BOOLEAN }),
  PublishedEphemeral: object({ room: STRING, id: STRING, ephemeral: { const: true } }),
  Outcome: { anyOf: [ref("schemas/Published"), ref("schemas/PublishedEphemeral"), ref("schemas/Error")] },
  Results: object({ results: arrayOf("Outcome") }),
  OutcomeOrResults: { anyOf: [ref("schemas/Outcome"), ref("schemas/Results")] },
  PublishArray: arrayOf("Publish"),
  KeptMessage: object({ ...PLACE, time: INTEGER, from: FROM, event: STRING, data: {} }, ["from"]),
  History: object(
    {
      messages: arrayOf("KeptMessage"),
      position: ref("schemas/Position"),
      cursor: STRING,
      firstOffset: INTEGER,
      complete: BOOLEAN,
      recovered: BOOLEAN,
      reason: STRING,
    },
    ["recovered", "reason"],
  ),
  Rooms: object(
    {
      rooms: {
        type: "array",
        items: object({ room: STRING, offset: INTEGER, connections: INTEGER, members: INTEGER }),
      },
      cursor: STRING,
    },
    ["cursor"],
  ),
  Member: object({ user: STRING, name: STRING, info: {}, joinedAt: INTEGER }, ["info"]),
  Members: object({ members: arrayOf("Member"), total: INTEGER, connections: INTEGER, complete: BOOLEAN }),
  Room: object({
    room: STRING,
    position: ref("schemas/Position"),
    cursor: STRING,
    connections: INTEGER,
    members: INTEGER,
    options: object({ messages: INTEGER, ageMs: INTEGER, presence: BOOLEAN, uniqueNames: BOOLEAN }, [
      "presence",
      "uniqueNames",
    ]),
  }),
  Events: STRING,
  Positions: object({
    cursor: STRING,
    rooms: {
      type: "array",
      items: object({ room: STRING, position: ref("schemas/Position"), cursor: STRING }),
    },
  }),
  LogEntry: object(
    { message: STRING, level: STRING, program: STRING, timestamp: { type: "string", format: "date-time" } },
    ["message", "level", "program", "timestamp"],
  ),
  Status: object({ status: STRING }),
  Page: STRING,
  OpenApi: { type: "object" },
};
