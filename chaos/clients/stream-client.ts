import type { Message } from "../../shared/message.ts";
import { splitCursor, type Position } from "../../shared/position.ts";
import type { Gap } from "../../shared/protocol.ts";
import { hashOf } from "../hash.ts";
import { oneOf } from "../random.ts";
import { ChaosClient } from "./chaos-client.ts";
import { EventBlocks, type EventBlock } from "./event-blocks.ts";
import type { Unsigned } from "./stock-client.ts";

/** A stream is given up after so long without a byte: the hubs of a run have a sign of life every 2.5 s. */
const SILENT_MS = 5_000;
/** How the oracle calls the id of a place whose message nobody knows, and how streams do. */
const UNKNOWN = { oracle: "gap", stream: "-" };

/** What a room of a stream that has just begun has come to. */
interface Beginning {
  readonly resumes: boolean;
  /** The gap that it was told of. */
  readonly told?: { readonly reason: Gap["reason"]; readonly firstOffset: number };
}

/**
 * A reader of `GET /events` that goes on with the last id of its stream, as EventSource does. It judges the hub by the
 * messages that it has, not by the ids: an id that is ahead of them or behind shows as a hole or a double.
 */
export class StreamClient extends ChaosClient {
  readonly figures = { resumes: 0, deliveries: 0 };
  readonly #positions = new Map<string, Position>();
  /** Rooms in which what comes may still be replay: a stream has no answer that says where it ends. */
  readonly #beginning = new Map<string, Beginning>();
  #lastId: string | undefined;
  #stream: AbortController | undefined;
  #isOpen = false;

  protected override canLeaveRooms(): boolean {
    return false;
  }

  protected isConnected(): boolean {
    return this.#isOpen;
  }

  protected open(url: string): void {
    const stream = new AbortController();
    this.#stream = stream;
    void this.#follow(url, stream);
  }

  protected close(): void {
    this.#stream?.abort();
    this.#stream = undefined;
    this.#isOpen = false;
    this.#record({ kind: "lost" });
  }

  /** Its rooms are those of its URL. */
  protected enter(): void {}
  protected exit(): void {}

  async #follow(url: string, stream: AbortController): Promise<void> {
    const { signal } = stream;
    const silence = setTimeout(() => stream.abort(), SILENT_MS);
    const start = oneOf(this.options.random, ["rewind", "now"] as const);
    const query = this.options.rooms.map((room) => `room=${encodeURIComponent(room)}&`).join("");
    const asked = `${url}/events?${query}envelope=1${start === "rewind" ? "&rewind=5" : ""}`;
    const headers: Record<string, string> =
      this.#lastId === undefined ? {} : { "last-event-id": this.#lastId };
    const began = Date.now();
    const reply = await fetch(asked, { headers, signal }).catch(() => undefined);
    const body: ReadableStream<Uint8Array> | null | undefined = reply?.body;
    const reader = reply?.status === 200 && !signal.aborted ? body?.getReader() : undefined;
    if (reader !== undefined) this.#begin(start);
    const blocks = new EventBlocks();
    for (;;) {
      const piece = await reader?.read().catch(() => undefined);
      if (piece?.value === undefined || signal.aborted) break;
      silence.refresh();
      for (const block of blocks.take(piece.value)) this.#take(block, began);
    }
    clearTimeout(silence);
    stream.abort();
    if (this.#stream !== stream) return;
    this.close();
    this.lost();
  }

  #begin(start: "rewind" | "now"): void {
    this.#beginning.clear();
    if (this.#lastId !== undefined) this.figures.resumes += 1;
    for (const room of this.options.rooms) {
      const since = this.#positions.get(room);
      this.#beginning.set(room, { resumes: since !== undefined });
      if (since === undefined) this.#record({ kind: "join", room, start });
      else this.#record({ kind: "join", room, start: "since", since });
    }
  }

  #take({ event, id, data }: EventBlock, began: number): void {
    if (id !== undefined) this.#lastId = id;
    if (data === undefined) return this.#learn(id);
    if (event === "stream-open") {
      this.#isOpen = true;
      this.#learn(id);
    } else if (event === "keep-alive") this.options.rooms.forEach((room) => this.#live(room));
    else if (event === "stream-reset") this.#reset(data, id!);
    // The hub ends the stream after an error; where to go on is known.
    else if (event !== "stream-error") this.#message(JSON.parse(data) as Message, began);
  }

  #message({ room, epoch, offset, id, time, event, data }: Message, began: number): void {
    this.figures.deliveries += 1;
    const place = { epoch, offset, id };
    this.#positions.set(room, place);
    this.#record({ kind: "message", room, ...place, hash: hashOf(event, data) });
    if (time >= began) this.#live(room);
  }

  #reset(data: string, id: string): void {
    const { channels, reason } = JSON.parse(data) as { channels: [string]; reason: Gap["reason"] };
    const [room] = channels;
    const known = this.#positions.get(room);
    const position = this.#positionsOf(id).get(room)!;
    const { epoch, offset: to } = position;
    const from = known?.epoch === epoch ? known.offset + 1 : 1;
    this.#positions.set(room, position);
    const beginning = this.#beginning.get(room);
    if (beginning !== undefined)
      this.#beginning.set(room, { ...beginning, told: { reason, firstOffset: to + 1 } });
    this.#record({ kind: "gap", gap: { room, epoch, from, to, reason } });
  }

  /** Takes from an id what no message tells: where a room stands that has had none. */
  #learn(id: string | undefined): void {
    if (id === undefined) return;
    for (const [room, position] of this.#positionsOf(id)) {
      const known = this.#positions.get(room);
      const isSame = known?.epoch === position.epoch && known.offset === position.offset;
      if (known !== undefined && !(known.id === UNKNOWN.oracle && isSame)) continue;
      this.#positions.set(room, position);
      this.#live(room);
    }
  }

  /** What comes in this room from now on is no replay. */
  #live(room: string): void {
    const beginning = this.#beginning.get(room);
    const position = this.#positions.get(room);
    if (beginning === undefined || position === undefined || position.id === UNKNOWN.oracle) return;
    this.#beginning.delete(room);
    const { resumes, told } = beginning;
    const verdict = resumes ? { recovered: told === undefined, ...told } : {};
    this.#record({ kind: "joined", room, reply: { position, ...verdict } });
  }

  #positionsOf(id: string): ReadonlyMap<string, Position> {
    const parts = id.includes("=")
      ? id.split(",").map((part) => part.split("=").map(decodeURIComponent))
      : [[this.options.rooms[0]!, id]];
    return new Map(
      parts.map(([room, cursor]) => {
        const position = splitCursor(cursor!)!;
        return [room!, position.id === UNKNOWN.stream ? { ...position, id: UNKNOWN.oracle } : position];
      }),
    );
  }

  #record(seen: Unsigned): void {
    this.options.record({ at: Date.now(), client: this.name, ...seen });
  }
}
