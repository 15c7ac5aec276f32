import { Histogram } from "../measure/histogram.ts";
import { EVENT_FORMAT, packetFormat } from "../wire/formats.ts";
import { RawSocket } from "../wire/raw-socket.ts";
import { RawStream } from "../wire/raw-stream.ts";
import { noFaults, Reader, type Faults } from "./reader.ts";
import { RoomStream } from "./room-stream.ts";

/** The connections of one process. */
export interface CrowdPlan {
  readonly rooms: readonly string[];
  readonly socketsPerRoom: number;
  /** They read server-sent events in place of being sockets. */
  readonly areStreams?: boolean;
  /** Size of each message's data. */
  readonly dataBytes: number;
  /** Stop reading as soon as they have joined; whatever becomes of them is right. */
  readonly stalled?: boolean;
  /** Also measure the time of each message. */
  readonly latency?: boolean;
}

/** Where sockets connect to, and how. */
export interface Connecting {
  readonly url: string;
  /** Handshakes at a time; 64 if it is missing. */
  readonly atOnce?: number;
  /** Resume after the last message that each one has; sockets only. */
  readonly since?: boolean;
}

/** What a process's sockets have got since the start. */
export interface CrowdState {
  readonly received: number;
  readonly faults: Faults;
  /** Why connections ended that should not have. */
  readonly lost: readonly string[];
}

interface Member {
  readonly room: string;
  readonly reader: Reader;
  connection: RawSocket | RawStream | undefined;
}

/** Handshakes at a time. */
export const AT_ONCE = 64;
/** How often it is looked whether all has come, in ms. */
const POLL_MS = 5;

/** Many subscribers in one process, each of which is in one room and checks all that it gets. */
export class Crowd {
  readonly #plan: CrowdPlan;
  readonly #streams = new Map<string, RoomStream>();
  readonly #members: Member[] = [];
  readonly #faults = noFaults();
  readonly #lost: string[] = [];
  readonly #latencies = new Histogram();

  constructor(plan: CrowdPlan) {
    this.#plan = plan;
    for (const room of plan.rooms) {
      const format = plan.areStreams === true ? EVENT_FORMAT : packetFormat(room);
      const stream = new RoomStream(format, plan.dataBytes);
      this.#streams.set(room, stream);
      for (let i = 0; i < plan.socketsPerRoom; i += 1) this.#members.push(this.#newMember(room, stream));
    }
  }

  /** Connects all that are not connected and joins; resolves when all are in their rooms. @returns seconds that it took */
  async connect({ url, atOnce = AT_ONCE, since = false }: Connecting): Promise<number> {
    const began = performance.now();
    const absent = this.#members.filter(({ connection }) => connection === undefined);
    const lanes = Array.from({ length: atOnce }, async () => {
      for (let member = absent.pop(); member !== undefined; member = absent.pop())
        await this.#join(url, member, since);
    });
    await Promise.all(lanes);
    return (performance.now() - began) / 1_000;
  }

  /** Cuts all connections at once. */
  cut(): void {
    for (const member of this.#members) {
      member.connection?.end();
      member.connection = undefined;
      member.reader.reconnected();
    }
  }

  /** Resolves when every socket has got so many messages of its room, or nothing has come for `ms`. */
  async settle(messages: Readonly<Record<string, number>>, ms: number): Promise<boolean> {
    let [received, changedAt] = [-1, Date.now()];
    for (;;) {
      if (this.#members.every(({ room, reader }) => reader.next > (messages[room] ?? 0))) break;
      const now = this.state().received;
      if (now !== received) [received, changedAt] = [now, Date.now()];
      else if (Date.now() - changedAt > ms) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    // As many and of different numbers: each that was published has come.
    return (
      this.#members.every(({ room, reader }) => reader.next === (messages[room] ?? 0) + 1) &&
      [...this.#streams].every(([room, { highest }]) => highest <= (messages[room] ?? 0))
    );
  }

  state(): CrowdState {
    const received = this.#members.reduce((sum, { reader }) => sum + reader.next - 1, 0);
    return { received, faults: this.#faults, lost: this.#lost };
  }

  /** The times since the last call. */
  latencies(): Uint32Array {
    const counts = this.#latencies.counts.slice();
    this.#latencies.clear();
    return counts;
  }

  #newMember(room: string, stream: RoomStream): Member {
    const member: Member = {
      room,
      connection: undefined,
      reader: new Reader(stream, this.#faults, {
        onPacket: (packet) => member.connection?.onPacket(packet),
        ...(this.#plan.latency === true ? { onLatency: (micros) => this.#latencies.add(micros) } : {}),
      }),
    };
    return member;
  }

  async #join(url: string, member: Member, since: boolean): Promise<void> {
    if (this.#plan.areStreams === true)
      await this.#connected(member, new RawStream(url, member.room)).opened();
    else await this.#enter(member, this.#connected(member, await RawSocket.open(url)), since);
    if (this.#plan.stalled === true) member.connection!.stall();
  }

  #connected<C extends RawSocket | RawStream>(member: Member, connection: C): C {
    member.connection = connection;
    connection.consume((chunk, now) => member.reader.take(chunk, now));
    if (this.#plan.stalled !== true) connection.onEnd = ({ message }) => this.#lost.push(message);
    return connection;
  }

  async #enter({ room, reader }: Member, socket: RawSocket, since: boolean): Promise<void> {
    const position = since ? this.#streams.get(room)!.positionOf(reader.next - 1) : undefined;
    await socket.request("join", JSON.stringify({ room, ...(position && { since: position }) }));
  }
}
