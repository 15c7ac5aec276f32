import { expect } from "@jest/globals";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { HubError } from "../../shared/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../../shared/limits.ts";
import { DEFAULT_ROOM_OPTIONS } from "../../shared/room-options.ts";
import { allowEveryone, type Authorize } from "../../server/hub/authorize.ts";
import type { Broker } from "../../server/hub/broker.ts";
import { Hub } from "../../server/hub/hub.ts";
import { LocalBroker } from "../../server/stores/local-broker.ts";
import { LocalMembers } from "../../server/stores/local-members.ts";
import { LocalPresence } from "../../server/stores/local-presence.ts";
import { MemoryStore } from "../../server/stores/memory/memory-store.ts";
import { createAccess } from "../../server/transports/access.ts";
import { createHttpHandler, type HttpContext, type HttpHandler } from "../../server/transports/http/index.ts";
import { createParsers } from "../../server/transports/schemas.ts";
import { SseTransport } from "../../server/transports/sse/index.ts";
import { Turns } from "../../server/transports/turns.ts";

export interface HttpHubOptions {
  readonly limits?: Partial<Limits>;
  readonly origins?: readonly string[];
  readonly open?: boolean;
  readonly authorize?: Authorize;
  /** Makes the server's listener; the handler itself if there is none. */
  readonly mount?: (handler: HttpHandler) => RequestListener;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed if it is JSON, the text otherwise. */
  readonly body: unknown;
}

export interface HttpHub {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  readonly context: HttpContext;
  /** What the observer heard. */
  readonly failures: { readonly what: string; readonly error: unknown }[];
  /** How many messages each call of the broker's append had. */
  readonly appends: number[];
  /** What the broker rejects every call about these rooms with, or all calls; undefined: it works. */
  refusal: { readonly error: unknown; readonly room?: string } | undefined;
  /** Makes the node begin to stop. */
  stop(): void;
  request(path: string, init?: RequestInit): Promise<Reply>;
  /** Posts a value as JSON. */
  post(path: string, value: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** Sends bytes as they are, and gives all that comes back until the hub closes the connection. */
  raw(...pieces: readonly (string | Uint8Array)[]): Promise<string>;
  close(): Promise<void>;
}

/** Starts the HTTP routes on a server of their own, over a hub with the memory store. */
export async function startHttpHub(options: HttpHubOptions = {}): Promise<HttpHub> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const failures: HttpHub["failures"] = [];
  const observer = {
    gap() {},
    backfilled() {},
    warning() {},
    slow() {},
    failure: (what: string, error: unknown) => void failures.push({ what, error }),
  };
  const webRoot = await mkdtemp(join(tmpdir(), "roomcast-web-"));
  await writeFile(join(webRoot, "index.html"), "<title>roomcast</title>");
  await writeFile(join(webRoot, "main.js"), "export {};");
  const appends: number[] = [];
  const state: Pick<HttpHub, "refusal"> = { refusal: undefined };
  const stopping = new AbortController();
  const broker = refusingBroker(appends, () => state.refusal);
  const authorize = options.authorize ?? allowEveryone;
  const presence = new LocalPresence(new LocalMembers());
  const hub = new Hub({ broker, presence, authorize, observer, limits, rooms: DEFAULT_ROOM_OPTIONS });
  await hub.start();
  const context = {
    hub,
    limits,
    observer,
    webRoot,
    authorize,
    parsers: createParsers(limits),
    access: createAccess({ origins: options.origins ?? [], open: options.open ?? false }),
    stopping: stopping.signal,
    turns: new Turns("immediate"),
    version: "1.2.3",
  };
  const streams = new SseTransport(context);
  hub.addTransport(streams);
  const handler = createHttpHandler({ ...context, streams });
  const server = createServer(options.mount?.(handler) ?? handler);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;

  const httpHub: HttpHub = Object.assign(state, {
    url,
    stop: () => stopping.abort(),
    port,
    server,
    context: { ...context, streams },
    failures,
    appends,
    async request(path: string, init?: RequestInit) {
      const response = await fetch(url + path, { redirect: "manual", ...init });
      const body = await response.text();
      const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
      const parsed: unknown = isJson && body !== "" ? JSON.parse(body) : body;
      return { status: response.status, headers: response.headers, body: parsed };
    },
    post: (path: string, value: unknown, headers: Record<string, string> = {}) =>
      httpHub.request(path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(value),
      }),
    async raw(...pieces: readonly (string | Uint8Array)[]) {
      const socket = connect(port, "127.0.0.1");
      for (const piece of pieces) socket.write(piece);
      return text(socket);
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      state.refusal = undefined;
      await hub.close({ code: "shutdown", reconnect: true, delayMs: 0 });
      await rm(webRoot, { recursive: true });
    },
  });
  return httpHub;
}

/** What every reply that is an error looks like. */
export function errorReply(code: HubError["code"], status: number): object {
  const message: unknown = expect.any(String);
  return { status, body: { error: expect.objectContaining({ code, message }) as unknown } };
}

function refusingBroker(appends: number[], refusal: () => HttpHub["refusal"]): Broker {
  return new Proxy<Broker>(new LocalBroker(new MemoryStore()), {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return (...given: unknown[]): unknown => {
        const refused = refusal();
        if (refused !== undefined && (refused.room === undefined || refused.room === given[0])) {
          return Promise.reject(refused.error);
        }
        if (name === "append") appends.push((given[1] as readonly unknown[]).length);
        return Reflect.apply(method, target, given) as unknown;
      };
    },
  });
}
