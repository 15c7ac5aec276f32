import { once } from "node:events";
import { io } from "socket.io-client";
import type { Gap } from "../../shared/protocol.ts";
import type { ReaderStart, Wire, WireReader } from "../conformance/transport.ts";
import { EventReader } from "./event-reader.ts";
import { PlainSocket } from "./plain-socket.ts";

function queryOf({ since, rewind }: ReaderStart): string {
  const query = new URLSearchParams();
  if (since !== undefined) query.set("since", since);
  if (rewind !== undefined) query.set("rewind", String(rewind));
  return query.toString();
}

const numberOf = (data: unknown): number => Number.parseInt((data as { message: string }).message, 10);
const isCall = (number: number): boolean => number === 0;
const isNumbered = (number: number): boolean => !isCall(number);

/** A stock client, with the network below it at hand. */
const socketIo: Wire = {
  async read(url, name, start) {
    const socket = io(url, { forceNew: true, reconnection: false, transports: ["websocket"] });
    const numbers: number[] = [];
    const gaps: { reason: string; after: number }[] = [];
    const reader = { numbers, gaps, ended: false, called: false };
    socket.on("log", (data: unknown) => {
      const number = numberOf(data);
      if (isCall(number)) reader.called = true;
      else numbers.push(number);
    });
    socket.on("room:gap", ({ reason }: Gap) => gaps.push({ reason, after: numbers.length }));
    socket.on("disconnect", () => (reader.ended = true));
    await new Promise((resolve) => socket.on("connect", () => resolve(undefined)));
    socket.emit(
      "join",
      { room: `stream:${name}`, ...start },
      ({ ok }: { ok: boolean }) => (reader.ended ||= !ok),
    );
    const transport = socket.io.engine.transport as unknown as { ws: { pause(): void; resume(): void } };
    return Object.assign(reader, {
      pause: () => transport.ws.pause(),
      resume: () => transport.ws.resume(),
      close: () => void socket.disconnect(),
    });
  },
};

const stream: Wire = {
  async read(url, name, start) {
    const events = await EventReader.open(`${url}/events/${encodeURIComponent(name)}?${queryOf(start)}`);
    return {
      get numbers() {
        return events.data.map(numberOf).filter(isNumbered);
      },
      get called() {
        return events.data.map(numberOf).some(isCall);
      },
      get gaps() {
        const reset = events.events.findIndex(({ event }) => event === "stream-reset");
        if (reset < 0) return [];
        const { reason } = JSON.parse(events.events[reset]!.data) as { reason: string };
        // Before it stands only the stream's opening.
        return [{ reason, after: reset - 1 }];
      },
      get ended() {
        return events.ended;
      },
      pause: () => events.pause(),
      resume: () => events.resume(),
      close: () => events.close(),
    } satisfies WireReader;
  },
};

const plainWebSocket: Wire = {
  async read(url, name, start) {
    const plain = new PlainSocket(`${url}/ws/logs/${encodeURIComponent(name)}?${queryOf(start)}`);
    const all = (): number[] => plain.frames.filter((frame) => "message" in (frame as object)).map(numberOf);
    await once(plain.socket, "open");
    return {
      get numbers() {
        return all().filter(isNumbered);
      },
      get called() {
        return all().some(isCall);
      },
      get gaps() {
        return plain.frames.flatMap((frame, after) =>
          "gap" in (frame as object) ? [{ reason: (frame as { gap: Gap }).gap.reason, after }] : [],
        );
      },
      get ended() {
        return plain.closed !== undefined;
      },
      pause: () => plain.socket.pause(),
      resume: () => plain.socket.resume(),
      close: () => plain.socket.terminate(),
    } satisfies WireReader;
  },
};

/** Every wire over which a room can be read. */
export const WIRES: Readonly<Record<string, Wire>> = {
  "Socket.IO": socketIo,
  "a stream of events": stream,
  "a plain WebSocket": plainWebSocket,
};
