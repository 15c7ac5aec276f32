import { Router } from "express";
import type { HttpContext } from "./context.ts";
import { sessionOf } from "./session.ts";

/** Makes the routes that lead to streams of events. */
export function eventsRouter({ parsers, streams }: HttpContext): Router {
  const router = Router({ caseSensitive: true });

  router.get("/events", (request, response) => {
    streams.serve(request, response, { session: sessionOf(request) });
  });

  // Before the next one, which would take it for a room.
  router.get("/events/position", async (request, response) => {
    response.json(await streams.position(request, { session: sessionOf(request) }));
  });

  router.get("/events/:room", (request, response) => {
    streams.serve(request, response, { session: sessionOf(request), room: request.params.room });
  });

  router.get("/rooms/:room/events", (request, response) => {
    const room = parsers.room(request.params.room);
    streams.serve(request, response, { session: sessionOf(request), room });
  });

  return router;
}
