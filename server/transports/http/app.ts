import express, { type Express } from "express";
import { HubError } from "../../../shared/errors.ts";
import type { HttpContext } from "./context.ts";
import { handleErrors } from "./errors.ts";
import { eventsRouter } from "./events.ts";
import { liveRouter } from "./live.ts";
import { messagesRouter } from "./messages.ts";
import { openapiRouter } from "./openapi.ts";
import { operationsRouter } from "./operations.ts";
import { pagesRouter } from "./pages.ts";
import { roomsRouter } from "./rooms.ts";
import { securityHandlers } from "./security.ts";

/** Makes the Express app behind the routes; it answers every request, `not_found` if nothing else fits. */
export function createApp(context: HttpContext): Express {
  const app = express();
  app.disable("x-powered-by");
  // Replies of the API are not cached; pages get theirs from the file's time and size.
  app.disable("etag");
  app.set("query parser", false);
  app.set("case sensitive routing", true);
  // Express' last resort shows stacks in every other environment.
  app.set("env", "production");

  app.use(...securityHandlers(context));
  app.use(messagesRouter(context));
  app.use(roomsRouter(context));
  app.use(eventsRouter(context));
  app.use(liveRouter(context));
  app.use(operationsRouter(context));
  app.use(openapiRouter(context));
  app.use(pagesRouter(context));
  app.use(() => {
    throw new HubError("not_found", "there is no such route: /openapi.json lists them");
  });
  app.use(handleErrors(context.observer));
  return app;
}
