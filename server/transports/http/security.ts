import cors from "cors";
import type { RequestHandler } from "express";
import helmet from "helmet";
import { HubError } from "../../../shared/errors.ts";
import { randomId } from "../../../shared/message-id.ts";
import type { HttpContext } from "./context.ts";
import { REQUEST_ID } from "./errors.ts";
import { isRoute } from "./routes.ts";

/** Makes what runs before every route: the headers of every reply, and who may call at all. */
export function securityHandlers({ access, stopping }: HttpContext): [RequestHandler, ...RequestHandler[]] {
  return [
    (_request, response, next) => {
      response.set(REQUEST_ID, randomId());
      response.set("Cache-Control", "no-store");
      if (stopping.aborted) response.set("Connection", "close");
      next();
    },
    headers,
    (request, _response, next) => {
      access.check(request);
      if (request.method === "OPTIONS" && !isRoute("OPTIONS", request.path)) {
        throw new HubError("not_found", "there is no such route: /openapi.json lists them");
      }
      next();
    },
    crossOrigin,
  ];
}

const headers = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", "data:"],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  // Whoever adds TLS in front of the hub knows whether the whole host speaks it.
  strictTransportSecurity: false,
  xFrameOptions: { action: "deny" },
});

/** Every origin that comes so far has passed the one list of origins: CORS has nothing left to decide. */
const crossOrigin = cors({
  origin: true,
  methods: ["GET", "HEAD", "POST", "DELETE"],
  allowedHeaders: ["Content-Type", "Authorization", "Idempotency-Key"],
  exposedHeaders: ["Retry-After", REQUEST_ID],
  maxAge: 600,
});
