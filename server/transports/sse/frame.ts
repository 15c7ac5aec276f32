import { contentOf, eventOf } from "../../../shared/packet.ts";
import { formatCursor } from "../../../shared/position.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { EphemeralMessage, StoredMessage } from "../../hub/broker.ts";
import type { Framing } from "../fan-out.ts";

/** One event of a stream; without data nothing is dispatched, and only the id counts. */
export interface Block {
  readonly event?: string;
  readonly id?: string | undefined;
  readonly data?: string;
}

/** Names of a stream's own events. A message of such a name arrives as `message`: no publisher may speak for the hub. */
const OWN_EVENTS = new Set(["stream-open", "stream-reset", "stream-error", "keep-alive"]);

/** Writes an event as in the HTML standard, §9.2.6; nothing in its texts can end it or begin a field of its own. */
export function blockOf({ event, id, data }: Block): string {
  let text = "";
  if (event !== undefined) text += `event: ${oneLine(event)}\n`;
  if (id !== undefined) text += `id: ${oneLine(id)}\n`;
  if (data !== undefined)
    text += `data: ${/[\r\n]/.test(data) ? data.replaceAll(LINE_END, "\ndata: ") : data}\n`;
  return `${text}\n`;
}

const LINE_END = /\r\n|\r|\n/g;

/** An id with NUL would be ignored. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\0]/g, "");
}

/** A message as streams write it; what is the same for many is made once. */
export class Frame {
  readonly room: RoomName;
  readonly event: string;
  /** Undefined for an ephemeral message. */
  readonly cursor: string | undefined;
  readonly #packet: string;
  readonly #type: string;
  #data: string | undefined;
  #flat: string | undefined;

  constructor(message: StoredMessage | EphemeralMessage) {
    this.room = message.room;
    this.#packet = message.packet;
    this.event = eventOf(message.packet);
    this.cursor = "offset" in message ? formatCursor(message) : undefined;
    this.#type = OWN_EVENTS.has(this.event) ? "message" : this.event;
  }

  /**
   * Writes the message.
   *
   * @param id where the stream stands with it
   * @param envelope the data is the whole message, flat as in lists
   */
  text(id: string | undefined, envelope: boolean): string {
    return blockOf({ event: this.#type, id, data: envelope ? this.#envelope : this.#payload });
  }

  /** Cut out of the packet `["event",data,meta]`: it is JSON already. */
  get #payload(): string {
    this.#data ??= contentOf(this.#packet).slice(this.event.length + 4);
    return this.#data;
  }

  get #envelope(): string {
    const meta = this.#packet.slice(contentOf(this.#packet).length + 1, -2);
    this.#flat ??= `${meta},"event":${JSON.stringify(this.event)},"data":${this.#payload}}`;
    return this.#flat;
  }
}

const frames = new WeakMap<object, Frame>();

/** The frame of something that many get, each by itself. */
export function frameFor(message: StoredMessage | EphemeralMessage): Frame {
  let frame = frames.get(message);
  if (frame === undefined) frames.set(message, (frame = new Frame(message)));
  return frame;
}

/** What a room gets at once, as bytes for all streams of this room alone that want all of it. */
export class Frames {
  readonly #frames: readonly Frame[];
  readonly #bytes = new Map<boolean, Buffer>();

  constructor(some: readonly Frame[]) {
    this.#frames = some;
  }

  bytes(envelope: boolean): Buffer {
    let bytes = this.#bytes.get(envelope);
    if (bytes === undefined) {
      const texts = this.#frames.map((frame) => frame.text(frame.cursor, envelope));
      this.#bytes.set(envelope, (bytes = Buffer.from(texts.join(""))));
    }
    return bytes;
  }
}

/** How streams of events write messages. */
export const FRAMES: Framing<Frame, Frames> = {
  frame: frameFor,
  join: (some) => new Frames(some),
};
