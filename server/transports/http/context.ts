import type { IncomingMessage, ServerResponse } from "node:http";
import type { Limits } from "../../../shared/limits.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Observer } from "../../hub/observer.ts";
import type { Access } from "../access.ts";
import type { EventStreams } from "../event-streams.ts";
import type { Parsers } from "../schemas.ts";

/** What the HTTP routes need to know of the rest. */
export interface HttpContext {
  readonly hub: Hub;
  readonly streams: EventStreams;
  readonly parsers: Parsers;
  readonly access: Access;
  readonly limits: Limits;
  readonly observer: Observer;
  /** Folder of the web pages, with an `index.html`; it is looked at once, and may be missing. */
  readonly webRoot: string;
  /** Aborts when the node begins to stop: nobody should send it new work from then on. */
  readonly stopping: AbortSignal;
  /** Of the hub, for the description of its API. */
  readonly version: string;
}

/** Answers a request; with `next` it passes on, untouched, what is no route of the hub. */
export type HttpHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;
