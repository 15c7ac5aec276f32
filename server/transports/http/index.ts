import { readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { createApp } from "./app.ts";
import type { HttpContext, HttpHandler } from "./context.ts";
import { plainPosts } from "./plain-posts.ts";
import { isRoute } from "./routes.ts";

export type { HttpContext, HttpHandler } from "./context.ts";

/**
 * Makes the HTTP routes: the listener of an http server, or middleware of an Express app, under any prefix.
 *
 * As middleware it leaves what is no route of the hub to the app, before it has touched request or response.
 */
export function createHttpHandler(context: HttpContext): HttpHandler {
  const app = createApp(context);
  const answersPlainPost = plainPosts(context);
  const files = filesOf(context.webRoot);
  return (request, response, next) => {
    if (next !== undefined) {
      const path = (request.url ?? "").replace(/\?.*$/s, "");
      const isFile = (request.method === "GET" || request.method === "HEAD") && files.has(path);
      if (!isFile && !isRoute(request.method ?? "", path)) return next();
    }
    if (!answersPlainPost(request, response)) app(request, response);
  };
}

/** The paths of a folder's files, as they are asked for. */
function filesOf(folder: string): ReadonlySet<string> {
  try {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    const paths = files.map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
    return new Set(paths.map((path) => encodeURI(`/${path.replaceAll(sep, "/")}`)));
  } catch {
    // A hub without pages is a hub all the same.
    return new Set();
  }
}
