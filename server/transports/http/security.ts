import type { IncomingMessage, ServerResponse } from "node:http";
import cors from "cors";
import type { RequestHandler } from "express";
import helmet from "helmet";
import { HubError } from "../../../shared/errors.ts";
import { randomId } from "../../../shared/message-id.ts";
import type { HttpContext } from "./context.ts";
import { REQUEST_ID } from "./errors.ts";
import { isRoute } from "./routes.ts";

/** Makes what runs before every route of Express: the headers of every reply, and who may call at all. */
export function securityHandlers(context: HttpContext): [RequestHandler, ...RequestHandler[]] {
  return [
    (request, response, next) => {
      admit(context, request, response);
      if (request.method === "OPTIONS" && !isRoute("OPTIONS", request.path)) {
        throw new HubError("not_found", "there is no such route: /openapi.json lists them");
      }
      next();
    },
    crossOrigin,
  ];
}

/** Sets the headers of every reply, and lets the caller in. @throws HubError as `Access` does */
export function admit(
  { access, stopping }: Pick<HttpContext, "access" | "stopping">,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  response.setHeader(REQUEST_ID, randomId());
  response.setHeader("Cache-Control", "no-store");
  if (stopping.aborted) response.setHeader("Connection", "close");
  response.removeHeader("X-Powered-By");
  response.setHeaders(PROTECTION);
  access.check(request);
}

/** Every origin that comes so far has passed the one list of origins: CORS has nothing left to decide. */
export const crossOrigin: (request: IncomingMessage, response: ServerResponse, next: () => void) => void =
  cors({
    origin: true,
    methods: ["GET", "HEAD", "POST", "DELETE"],
    allowedHeaders: ["Content-Type", "Authorization", "Idempotency-Key", "Last-Event-ID", "Cache-Control"],
    exposedHeaders: ["Retry-After", REQUEST_ID],
    maxAge: 600,
  });

const PROTECTION = headersOf(
  helmet({
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
  }),
);

type Protect = ReturnType<typeof helmet>;

/** What helmet sets: with these options the same for every request, so it is asked once. */
function headersOf(protect: Protect): Map<string, string> {
  const headers = new Map<string, string>();
  const recorder = {
    setHeader: (name: string, value: string) => headers.set(name, value),
    removeHeader: () => undefined,
  };
  protect({} as IncomingMessage, recorder as unknown as ServerResponse, () => undefined);
  return headers;
}
