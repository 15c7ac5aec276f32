import express, { Router, type RequestHandler, type Response } from "express";
import type { HttpContext } from "./context.ts";

/** Asked for again each time, so that a new version is seen at once; unchanged it costs no bytes. */
const FRESH = "no-cache";
/** The names of these files carry a hash of what is in them. */
const HASHED = /[\\/]assets[\\/]/;
const FOREVER = "public, max-age=31536000, immutable";

/** Makes the routes of the web pages: one page, which reads the path, and the files that it needs. */
export function pagesRouter({ webRoot }: HttpContext): Router {
  const router = Router({ caseSensitive: true });
  const sendPage: RequestHandler = (_request, response) => {
    response.sendFile("index.html", { root: webRoot, headers: { "Cache-Control": FRESH } });
  };
  router.get("/", sendPage);
  router.get("/stream/:id", sendPage);
  router.get("/chat/:name", sendPage);
  const setHeaders = (response: Response, path: string): void =>
    void response.set("Cache-Control", HASHED.test(path) ? FOREVER : FRESH);
  router.use(express.static(webRoot, { index: false, redirect: false, setHeaders }));
  return router;
}
