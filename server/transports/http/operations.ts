import { Router } from "express";
import { HubError } from "../../../shared/errors.ts";
import type { HttpContext } from "./context.ts";

/** Makes the routes by which others look after this node. */
export function operationsRouter({ hub, stopping }: HttpContext): Router {
  const router = Router({ caseSensitive: true });

  router.get("/healthz", (_request, response) => {
    response.json({ status: "ok" });
  });

  router.get("/readyz", async (_request, response) => {
    if (stopping.aborted) throw new HubError("unavailable", "this node is about to stop");
    await hub.ping().catch((cause: unknown) => {
      if (cause instanceof HubError && cause.code !== "internal") throw cause;
      throw new HubError("unavailable", "the store does not answer", { cause });
    });
    response.json({ status: "ready" });
  });

  return router;
}
