import type { IncomingMessage, ServerResponse } from "node:http";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { HubError, toHubError } from "../../../shared/errors.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { Push, Transport } from "../../hub/transport.ts";
import type { EventStreams, Positions, StreamCaller } from "../event-streams.ts";
import { FanOut } from "../fan-out.ts";
import type { Parsers } from "../schemas.ts";
import type { Turns } from "../turns.ts";
import { Cursors } from "./cursors.ts";
import { FRAMES, type Frame, type Frames } from "./frame.ts";
import { refusalOf } from "./refusal.ts";
import { queryOf, readChannels, readStreamRequest, refuseReturn, type StreamRequest } from "./request.ts";
import { EventStream, type StreamContext } from "./stream.ts";

export interface SseOptions extends Omit<StreamContext, "fanOut"> {
  readonly parsers: Parsers;
  /** Undefined if each message is to be sent by itself. */
  readonly turns: Turns | undefined;
  readonly stopping: AbortSignal;
}

/** Some buffering proxies and old clients begin to pass events on after so much. */
const PADDING = `:${" ".repeat(2048)}\n\n`;
/** A connection on which nothing happens is looked after by the system from then on, in ms. */
const TCP_KEEP_ALIVE_MS = 20_000;
/** A stopping node waits so long for its readers to take what there is, in ms. */
const END_WITHIN_MS = 1_200;

/** Streams of server-sent events, in the dialect of django-eventstream and with cursors as ids. */
export class SseTransport implements Transport, EventStreams {
  readonly #options: SseOptions;
  readonly #context: StreamContext;
  readonly #fanOut: FanOut<Frame, Frames>;
  readonly #streams = new Map<EventStream, ServerResponse>();

  constructor(options: SseOptions) {
    this.#options = options;
    this.#fanOut = new FanOut(FRAMES, options.turns);
    this.#context = { ...options, fanOut: this.#fanOut };
  }

  serve(request: IncomingMessage, response: ServerResponse, { session, room }: StreamCaller): void {
    refuseReturn(request);
    writeHead(request, response);
    if (request.method === "HEAD") return void response.end();
    let wanted: StreamRequest;
    try {
      if (this.#options.stopping.aborted) throw new HubError("unavailable", "this node is about to stop");
      wanted = readStreamRequest(request, room, this.#options);
    } catch (error) {
      return void response.end(refusalOf(toHubError(error), []));
    }
    request.socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    response.write(PADDING);
    const stream = new EventStream(response, session, wanted, this.#context);
    this.#streams.set(stream, response);
    response.on("close", () => this.#streams.delete(stream));
    return void stream.run();
  }

  async position(request: IncomingMessage, { session }: StreamCaller): Promise<Positions> {
    const channels = readChannels(queryOf(request), undefined, this.#options);
    const names = [...channels.keys()];
    const rooms = await Promise.all(
      names.map(async (name) => {
        const { room, position, cursor } = await this.#options.hub.describe(session, name);
        return { room, position, cursor };
      }),
    );
    const cursors = new Cursors(rooms.length);
    rooms.forEach(({ room, cursor }) => cursors.set(room, cursor));
    return { cursor: cursors.text!, rooms };
  }

  deliver(room: RoomName, push: Push): void {
    this.#fanOut.deliver(room, push);
  }

  async close(): Promise<void> {
    const responses = [...this.#streams.values()];
    const closed = responses.map((response) => once(response, "close"));
    for (const stream of this.#streams.keys()) stream.stop();
    await Promise.race([Promise.all(closed), sleep(END_WITHIN_MS, undefined, { ref: false })]);
    responses.forEach((response) => response.destroy());
  }
}

function writeHead({ headers }: IncomingMessage, response: ServerResponse): void {
  // The body ends with the connection: in chunks, each event would be three pieces to write.
  response.removeHeader("Transfer-Encoding");
  response.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    Connection: "close",
    // Its origin has passed the one list of origins, and the hub reads no cookies.
    ...(headers.origin === undefined ? {} : { "Access-Control-Allow-Credentials": "true" }),
  });
}
