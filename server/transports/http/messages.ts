import { Router } from "express";
import { bodyOf, readJson } from "./body.ts";
import type { HttpContext } from "./context.ts";
import { publishIntoMany, publishIntoRoom } from "./publishing.ts";
import { queryOf } from "./query.ts";
import { sessionOf } from "./session.ts";

/** Makes the routes that publish messages and read them. */
export function messagesRouter(context: HttpContext): Router {
  const { hub, parsers, limits } = context;
  const router = Router({ caseSensitive: true });

  router.post("/rooms/:room/messages", readJson(limits), (request, response) =>
    publishIntoRoom(context, request.params["room"], bodyOf(request), request, response),
  );

  router.post("/messages", readJson(limits), (request, response) =>
    publishIntoMany(context, bodyOf(request), request, response),
  );

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
