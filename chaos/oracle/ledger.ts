import type { Findings } from "./findings.ts";
import type { Losses } from "./losses.ts";
import type { Publishing, ReadBack } from "./observations.ts";
import type { RoomLogs } from "./room-logs.ts";

interface Ack {
  readonly epoch: string;
  readonly offset: number;
  readonly at: number;
}

/** A message as its publisher knows it. */
interface Sent {
  readonly publisher: string;
  readonly room: string;
  readonly id: string;
  readonly hash: number;
  /** When its first and its last attempt began, in the order of this publisher's attempts. */
  readonly first: number;
  last: number;
  ack: Ack | undefined;
  /** All attempts were refused for certain. */
  refused: boolean;
  unknown: boolean;
}

interface Seen {
  readonly room: string;
  readonly hash: number;
  readonly at: number;
  readonly who: string;
}

/** What publishers sent and what they were told, against what came of it. */
export class Ledger {
  readonly #findings: Findings;
  readonly #losses: Losses;
  readonly #logs: RoomLogs;
  readonly #sent = new Map<string, Sent>();
  readonly #attempts = new Map<string, number>();
  /** The first sighting of each message. */
  readonly #seen = new Map<string, Seen>();
  /** Acknowledgements by room and epoch, by offset. */
  readonly #acked = new Map<string, Sent[]>();
  readonly figures = {
    invoked: 0,
    acknowledged: 0,
    duplicates: 0,
    unknown: 0,
    refused: 0,
    acknowledgedLost: 0,
  };

  constructor(findings: Findings, losses: Losses, logs: RoomLogs) {
    this.#findings = findings;
    this.#losses = losses;
    this.#logs = logs;
  }

  observe(event: Publishing): void {
    if (event.kind === "invoke") return this.#invoke(event);
    const sent = this.#sent.get(event.id);
    if (sent === undefined) throw new Error(`${event.publisher} was answered for ${event.id}, never sent`);
    if (event.kind === "ok") return this.#acknowledge(event, sent);
    if (event.kind === "unknown") {
      sent.unknown = true;
      this.figures.unknown += 1;
    } else {
      sent.refused = true;
      this.figures.refused += 1;
    }
  }

  /** Someone has got this message. */
  see(id: string, seen: Seen): void {
    if (this.#seen.has(id)) return;
    this.#seen.set(id, seen);
    const sent = this.#sent.get(id);
    if (sent !== undefined) this.#compare(sent, seen);
  }

  /** The acknowledgement at a place, if there is one. */
  ackAt(room: string, epoch: string, offset: number): string | undefined {
    return this.#acked.get(`${room} ${epoch}`)?.[offset]?.id;
  }

  /** Every acknowledged message has to be in the log that is read back, unless it was trimmed or may have been lost. */
  readBack(log: ReadBack, at: number): void {
    const { room, position, firstOffset } = log;
    const ids = new Set(log.messages.map(({ id }) => id));
    for (const sent of this.#sent.values()) {
      const { ack } = sent;
      if (ack === undefined || sent.room !== room || ids.has(sent.id)) continue;
      const trimmed = ack.epoch === position.epoch && ack.offset < firstOffset;
      // What is acknowledged while it is read back may be too late for it.
      if (trimmed || ack.at >= at) continue;
      if (this.#losses.between(ack.at, at)) this.figures.acknowledgedLost += 1;
      else {
        const text = `${sent.id} was acknowledged at ${ack.epoch}.${ack.offset}; the history of ${log.node} (${firstOffset} to ${position.offset} of ${position.epoch}) has it not`;
        this.#findings.add("I12", room, at, text);
      }
    }
  }

  finish(at: number): void {
    for (const [id, { room, who, at: when }] of this.#seen) {
      const sent = this.#sent.get(id);
      if (sent === undefined) this.#findings.add("I2", room, when, `${who} got ${id}, which nobody sent`);
      else if (sent.refused && !sent.unknown && sent.ack === undefined)
        this.#findings.add("I2", room, when, `${who} got ${id}, which was refused`);
    }
    this.#checkOrders(at);
  }

  #invoke({ publisher, room, id, hash }: Publishing & { kind: "invoke" }): void {
    const attempt = (this.#attempts.get(publisher) ?? 0) + 1;
    this.#attempts.set(publisher, attempt);
    this.figures.invoked += 1;
    const known = this.#sent.get(id);
    if (known !== undefined) {
      known.last = attempt;
      return;
    }
    const sent: Sent = {
      publisher,
      room,
      id,
      hash,
      first: attempt,
      last: attempt,
      ack: undefined,
      refused: false,
      unknown: false,
    };
    this.#sent.set(id, sent);
    const seen = this.#seen.get(id);
    if (seen !== undefined) this.#compare(sent, seen);
  }

  #acknowledge(event: Publishing & { kind: "ok" }, sent: Sent): void {
    const { room, epoch, offset, id, at, publisher, duplicate } = event;
    this.figures.acknowledged += 1;
    if (duplicate) this.figures.duplicates += 1;
    this.#logs.see({ room, epoch, offset, id, at, who: publisher });
    if (sent.ack !== undefined && !duplicate && !this.#losses.between(sent.ack.at, at)) {
      const text = `${id} was acknowledged at ${sent.ack.epoch}.${sent.ack.offset}, and again at ${epoch}.${offset} as a new message`;
      this.#findings.add("I7", room, at, text);
    }
    sent.ack = { epoch, offset, at };
    const key = `${room} ${epoch}`;
    const acked = this.#acked.get(key) ?? [];
    acked[offset] = sent;
    this.#acked.set(key, acked);
  }

  #compare(sent: Sent, { room, hash, at, who }: Seen): void {
    if (sent.room !== room)
      this.#findings.add("I2", room, at, `${who} got ${sent.id}, which was sent to ${sent.room}`);
    else if (sent.hash !== hash)
      this.#findings.add("I2", room, at, `${who} got ${sent.id} with a content that nobody sent`);
  }

  /** Of two messages, the one whose last attempt began before the other's first has to come first. */
  #checkOrders(at: number): void {
    const streams = new Map<string, Sent[]>();
    for (const sent of this.#sent.values()) {
      if (sent.ack === undefined) continue;
      // A log that lost its newest messages gives their offsets again.
      const key = `${sent.publisher} ${sent.room} ${sent.ack.epoch} ${this.#losses.returned(sent.ack.at)}`;
      const stream = streams.get(key);
      if (stream === undefined) streams.set(key, [sent]);
      else stream.push(sent);
    }
    for (const stream of streams.values()) {
      stream.sort((a, b) => a.ack!.offset - b.ack!.offset);
      let latest: Sent | undefined;
      for (const sent of stream) {
        if (latest !== undefined && sent.last < latest.first) {
          const text = `${sent.publisher} sent ${sent.id} before ${latest.id}; they are at ${sent.ack!.offset} and ${latest.ack!.offset}`;
          this.#findings.add("I6", sent.room, at, text);
        }
        if (latest === undefined || sent.first > latest.first) latest = sent;
      }
    }
  }
}
