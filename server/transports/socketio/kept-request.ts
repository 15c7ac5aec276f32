import { IncomingMessage } from "node:http";
import { Socket as NetSocket } from "node:net";
import type { Server, Socket } from "socket.io";

// What engine.io 6.6 keeps of a handshake for as long as its connection lasts, and what of it anybody needs.

type Conn = Socket["conn"];

interface FirstRequest extends IncomingMessage {
  readonly _query: Readonly<Record<string, unknown>>;
}

/** What a first request has by itself and through engine.io; anything else is of the program that embeds the hub. */
const ORDINARY = new Set([
  ...Object.keys(new IncomingMessage(new NetSocket())),
  "_events",
  "_eventsCount",
  "_maxListeners",
  "parser",
  "res",
  "cleanup",
  "websocket",
  "_query",
]);

/** By which engine.io's stand-in for the response to an upgrade hears of its end. */
const TELLS_RESPONSE = '() => this.emit("close")';

/** What stays of a connection's first request: Socket.IO describes by it whoever connects to a namespace later. */
class KeptRequest {
  readonly headers: IncomingMessage["headers"];
  readonly url: string | undefined;
  readonly socket: NetSocket;
  readonly _query: FirstRequest["_query"];

  constructor({ headers, url, socket, _query: query }: FirstRequest) {
    this.headers = headers;
    this.url = url;
    this.socket = socket;
    this["_query"] = query;
  }

  get method(): string {
    return "GET";
  }

  get connection(): NetSocket {
    return this.socket;
  }
}

/**
 * Lets go of the response to an upgrade, which a socket's end would be told to, and with it of the request.
 * Has to be called in the turn in which engine.io got the request; does nothing if the program's own middlewares may
 * wait for that response.
 */
export function letGoOfResponse(engine: Server["engine"], socket: NetSocket): void {
  const { middlewares } = engine as unknown as { readonly middlewares: readonly unknown[] };
  // One is `cors`.
  if (middlewares.length > 1) return;
  // The newest one.
  const tells = socket.listeners("close").findLast((listener) => String(listener) === TELLS_RESPONSE);
  if (tells !== undefined) socket.off("close", tells as () => void);
}

/** What of socket.io and engine.io a list that is filled once hangs from. */
interface ListHolders {
  readonly conn: object;
  readonly client: { readonly decoder?: { readonly _callbacks?: object } };
}

/** Takes the slack out of lists that are filled once: each has room for 17 entries, and one of them is used. */
export function letGoOfSlack(socket: Socket): void {
  const { conn, client } = socket as unknown as ListHolders;
  fit(socket, "_anyListeners");
  fit(conn, "cleanupFn");
  fit(client.decoder?.["_callbacks"], "$decoded");
}

function fit(holder: object | undefined, name: string): void {
  const lists = holder as Record<string, unknown> | undefined;
  const list = lists?.[name];
  if (Array.isArray(list)) lists![name] = list.slice();
}

/** Puts in the place of a connection's first request what stays of it, unless the program has added something to it. */
export function letGoOfRequest(conn: Conn): void {
  const held = conn as unknown as { request: FirstRequest | KeptRequest };
  const { request } = held;
  if (request instanceof KeptRequest || !Object.keys(request).every((key) => ORDINARY.has(key))) return;
  held.request = new KeptRequest(request);
}
