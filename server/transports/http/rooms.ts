import { Router } from "express";
import { HubError } from "../../../shared/errors.ts";
import type { HttpContext } from "./context.ts";
import { queryOf } from "./query.ts";
import { sessionOf } from "./session.ts";

const DEFAULT_PAGE = 100;

/** Makes the routes that tell of rooms. */
export function roomsRouter({ hub, parsers, limits }: HttpContext): Router {
  const router = Router({ caseSensitive: true });

  router.get("/rooms", async (request, response) => {
    const { prefix = "", cursor, limit } = queryOf(request, ["prefix", "cursor", "limit"]);
    const { rooms, next } = await hub.list(sessionOf(request), {
      prefix: prefix.normalize("NFC"),
      limit: parseLimit(limit, limits.historyPage),
      ...(cursor === undefined ? {} : { after: parseCursor(cursor) }),
    });
    response.json(next === undefined ? { rooms } : { rooms, cursor: formatCursor(next) });
  });

  router.get("/rooms/:room", async (request, response) => {
    response.json(await hub.describe(sessionOf(request), parsers.room(request.params["room"])));
  });

  router.get("/rooms/:room/members", async (request, response) => {
    const { room, ...query } = parsers.members({
      room: request.params["room"],
      ...queryOf(request, ["after", "limit"]),
    });
    response.json(await hub.members(sessionOf(request), room, query));
  });

  return router;

  function parseCursor(cursor: string): string {
    try {
      return parsers.room(Buffer.from(cursor, "base64url").toString());
    } catch {
      throw new HubError("bad_request", "cursor: it is not one that the hub gave");
    }
  }
}

/** Encoded, so that nobody takes it for anything but a cursor. */
function formatCursor(room: string): string {
  return Buffer.from(room).toString("base64url");
}

function parseLimit(limit: string | undefined, max: number): number {
  if (limit === undefined) return Math.min(DEFAULT_PAGE, max);
  const rooms = /^\d{1,9}$/.test(limit) ? Number(limit) : 0;
  if (rooms >= 1 && rooms <= max) return rooms;
  throw new HubError("bad_request", `limit: it is a number from 1 to ${max}`);
}
