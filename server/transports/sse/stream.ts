import type { ServerResponse } from "node:http";
import { HubError, toHubError } from "../../../shared/errors.ts";
import type { Limits } from "../../../shared/limits.ts";
import { formatCursor, type Position } from "../../../shared/position.ts";
import type { JoinReply } from "../../../shared/protocol.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import { demandJoin, type Authorize } from "../../hub/authorize.ts";
import type { StoredMessage } from "../../hub/broker.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Observer } from "../../hub/observer.ts";
import type { Session } from "../../hub/session.ts";
import type { Push, Subscriber } from "../../hub/transport.ts";
import { whenDrained } from "../draining.ts";
import type { FanOut, FanOutlet } from "../fan-out.ts";
import { Cursors } from "./cursors.ts";
import { writePiece } from "./direct.ts";
import { blockOf, frameFor, type Frame, type Frames } from "./frame.ts";
import { refusalOf, retryLine, slownessOf } from "./refusal.ts";
import type { StreamRequest, StreamRoom } from "./request.ts";

export interface StreamContext {
  readonly hub: Hub;
  readonly authorize: Authorize;
  readonly fanOut: FanOut<Frame, Frames>;
  readonly limits: Limits;
  readonly observer: Observer;
}

const KEEP_ALIVE = blockOf({ event: "keep-alive", data: "" });
/** Without it Node makes an error for each write that waits: 1,000 readers that went away together held the hub up for 8 s. */
const TAKES_NOTHING = new Error("the reader takes nothing");
/** Stands for an id that nobody knows any more: who resumes from there is told again what is missing. */
const UNKNOWN_ID = "-";

/** One stream of events, from its first byte to its last. */
export class EventStream implements Subscriber, FanOutlet<Frame, Frames> {
  readonly session: Session;
  readonly #response: ServerResponse;
  readonly #wanted: StreamRequest;
  readonly #context: StreamContext;
  readonly #cursors: Cursors;
  readonly #keepAlive: NodeJS.Timeout;
  /** Hands over what the rooms have gathered. */
  #before: () => void = () => {};
  /** What this turn has to say, and what waits for the stream to open. */
  #unsent = "";
  /** The cursors have moved on without an event that says so. */
  #moved = false;
  /** What came before all rooms that have nothing to replay are live: only then an id can name the place in all of them. */
  readonly #held: (() => void)[] = [];
  #heldLength = 0;
  /** The rooms that have nothing to replay are live: whatever comes next opens the stream. */
  #mayOpen = false;
  #isOpen = false;
  #ended = false;

  constructor(response: ServerResponse, session: Session, wanted: StreamRequest, context: StreamContext) {
    this.session = session;
    this.#response = response;
    this.#wanted = wanted;
    this.#context = context;
    this.#cursors = new Cursors(wanted.rooms.length);
    for (const { room, start } of wanted.rooms) {
      if (start.since !== undefined) this.#cursors.set(room, formatCursor(start.since));
    }
    response.on("close", () => this.#leave());
    // Node's own clock for it: it goes on as long as bytes leave, and an idle stream has keep-alives.
    response.setTimeout(context.limits.stalledMs, () => this.#giveUpStalled());
    this.#keepAlive = setInterval(() => this.#stayAlive(), context.limits.pingIntervalMs);
    context.fanOut.connect(this);
  }

  /** Joins the rooms, and ends the stream if one of them can't be joined. */
  async run(): Promise<void> {
    const { rooms } = this.#wanted;
    await this.#admit();
    const starts = ({ start }: StreamRoom): boolean =>
      start.since !== undefined || start.rewind !== undefined;
    // What arrives meanwhile waits: the stream opens with its place in all of them.
    await Promise.all(rooms.filter((one) => !starts(one)).map((one) => this.#join(one)));
    this.#mayOpen = true;
    if (!rooms.some(starts)) this.#open();
    this.#heldLength = 0;
    for (const write of this.#held.splice(0)) write();
    this.#flush();
    // One after the other: each fills what may wait for the reader.
    for (const one of rooms.filter(starts)) await this.#join(one);
  }

  intercept(before: () => void): void {
    this.#before = before;
  }

  send(push: Push): void {
    if (this.#ended) return;
    this.#before();
    if (push.kind === "message" || push.kind === "ephemeral") this.write(frameFor(push.message));
    else if (push.kind === "gap") this.#reset(push.gap.room as RoomName, push.gap.reason, push.position);
  }

  replay(messages: readonly StoredMessage[]): void {
    messages.forEach((message) => this.send({ kind: "message", message }));
  }

  write(frame: Frame): void {
    if (this.#ended) return;
    if (this.#unsent === "") process.nextTick(() => this.#flush());
    this.#append(frame);
  }

  writeJoined(frames: readonly Frame[], joined: Frames): void {
    if (this.#ended) return;
    if (this.#isOpen && this.#sharesAll(frames)) {
      this.#flush();
      writePiece(this.#response, joined.bytes(this.#wanted.envelope));
      this.#bound();
      return;
    }
    frames.forEach((frame) => this.#append(frame));
    this.#flush();
  }

  drained(): Promise<void> {
    this.#flush();
    return whenDrained(this.#response, this.#context.limits.outboundBytes / 4);
  }

  goLive(room: RoomName): void {
    this.#context.fanOut.add(room, this);
  }

  leave(room: RoomName): void {
    this.#context.fanOut.remove(room, this);
  }

  /** Ends the stream so that the reader comes back. */
  stop(): void {
    if (!this.#ended) this.#end(retryLine());
  }

  /** A stream has all of its rooms or none, and all that are refused are named at once. */
  async #admit(): Promise<void> {
    const refused: string[] = [];
    for (const { room, channel, start } of this.#wanted.rooms) {
      try {
        await demandJoin(this.#context.authorize, this.session, room, start);
      } catch (error) {
        if (!(error instanceof HubError) || error.code !== "forbidden") return this.#fail(error, [channel]);
        refused.push(channel);
      }
    }
    if (refused.length > 0) this.#fail(new HubError("forbidden", "the rights are missing"), refused);
  }

  async #join({ room, channel, start }: StreamRoom): Promise<void> {
    if (this.#ended) return;
    try {
      await this.#context.hub.join(this, room, start, (reply) => this.#joined(room, reply));
    } catch (error) {
      this.#fail(error, [channel]);
    }
  }

  #fail(error: unknown, channels: readonly string[]): void {
    if (this.#ended) return;
    const refused = toHubError(error);
    if (refused.code === "internal") this.#context.observer.failure("a stream of events", error);
    this.#end(refusalOf(refused, channels));
  }

  #joined(room: RoomName, { cursor }: JoinReply): void {
    if (this.#cursors.get(room) !== cursor) {
      this.#cursors.set(room, cursor);
      this.#moved = this.#isOpen;
    }
    this.#open();
    this.#flush();
  }

  /** In a room alone its ids are those of all others, so what it leaves out is all that makes it different. */
  #sharesAll(frames: readonly Frame[]): boolean {
    const { rooms, events } = this.#wanted;
    return rooms.length === 1 && (events === undefined || frames.every(({ event }) => events.has(event)));
  }

  #append(frame: Frame): void {
    const { room, event, cursor } = frame;
    if (!this.#mayOpen) {
      this.#heldLength += frame.text(cursor, this.#wanted.envelope).length;
      this.#held.push(() => this.#append(frame));
      return;
    }
    if (!this.#isOpen) {
      // Before the very first message of a log there is a place that everyone knows.
      const [epoch, offset] = cursor?.split(".", 2) ?? [];
      if (offset === "1" && this.#cursors.get(room) === undefined) this.#cursors.set(room, `${epoch}.0.`);
      this.#open();
    }
    if (cursor !== undefined) this.#cursors.set(room, cursor);
    if (this.#wanted.events?.has(event) === false) {
      this.#moved ||= cursor !== undefined;
      return;
    }
    if (cursor !== undefined) this.#moved = false;
    this.#unsent += frame.text(cursor === undefined ? undefined : this.#cursors.text, this.#wanted.envelope);
  }

  #reset(room: RoomName, reason: string, position: Position): void {
    if (!this.#mayOpen) return void this.#held.push(() => this.#reset(room, reason, position));
    const { epoch, offset, id } = position;
    this.#open();
    const known = offset === 0 || id !== "" ? id : UNKNOWN_ID;
    this.#cursors.set(room, formatCursor({ epoch, offset, id: known }));
    this.#moved = false;
    const { channel } = this.#wanted.rooms.find((one) => one.room === room)!;
    const data = JSON.stringify({ channels: [channel], reason });
    this.#unsent += blockOf({ event: "stream-reset", id: this.#cursors.text, data });
    this.#flush();
  }

  #open(): void {
    if (this.#isOpen || !this.#mayOpen || this.#ended) return;
    this.#isOpen = true;
    const opening = blockOf({ event: "stream-open", id: this.#cursors.text, data: "" });
    this.#unsent = opening + retryLine() + this.#unsent;
  }

  #flush(): void {
    if (this.#ended) return;
    if (!this.#isOpen) return this.#bound();
    if (this.#moved) this.#unsent += blockOf({ id: this.#cursors.text });
    this.#moved = false;
    if (this.#unsent === "") return;
    const text = this.#unsent;
    this.#unsent = "";
    this.#response.write(text);
    this.#bound();
  }

  #bound(): void {
    const { limits, observer } = this.#context;
    if (this.#heldLength + this.#unsent.length + this.#response.writableLength <= limits.outboundBytes)
      return;
    observer.slow(this.session.id);
    this.#end(slownessOf());
  }

  #giveUpStalled(): void {
    if (this.#response.writableLength === 0) return;
    if (!this.#ended) this.#context.observer.slow(this.session.id);
    this.#response.destroy(TAKES_NOTHING);
  }

  #stayAlive(): void {
    // Whoever has not taken what there is needs no sign of life.
    if (!this.#isOpen || this.#ended || this.#response.writableLength > 0) return;
    this.#before();
    this.#unsent += KEEP_ALIVE;
    this.#flush();
  }

  #end(last: string): void {
    this.#before();
    this.#flush();
    if (this.#ended) return;
    this.#leave();
    this.#response.end(last);
  }

  #leave(): void {
    this.#ended = true;
    clearInterval(this.#keepAlive);
    this.#context.hub.disconnect(this);
  }
}
