import type { Observation } from "./oracle/observations.ts";
import type { Membership } from "./oracle/oracle.ts";

/** A room of a run. */
export interface RoomPlan {
  readonly room: string;
  /** Messages a second, of all publishers together. */
  readonly rate: number;
  /** The part of the clients that is in it. */
  readonly share: number;
  /** Keeps so many messages, fewer than a run sends. */
  readonly keeps?: number;
  /** Only node 0 publishes into it, and only its clients are members. */
  readonly planted?: true;
}

/** What a process of clients is to do. */
export interface ClientsPlan {
  readonly seed: number;
  readonly first: number;
  readonly count: number;
  /** One per node. */
  readonly urls: readonly string[];
  readonly rooms: readonly RoomPlan[];
  /** How long a client stays, and how long it stays away, at most, in ms. */
  readonly stayMs: number;
  readonly awayMs: number;
  /** A client leaves no room for so long, at most, in ms. */
  readonly roomMs: number;
}

/** What a process of publishers is to do. */
export interface PublishersPlan {
  readonly seed: number;
  readonly name: string;
  readonly redisUrl: string;
  readonly urls: readonly string[];
  readonly rooms: readonly RoomPlan[];
  /** The part of each room's messages that this process publishes straight into Redis, and over HTTP. */
  readonly redisShare: number;
  readonly httpShare: number;
}

/** What the run tells its processes. */
export type Order =
  | { readonly kind: "clients"; readonly plan: ClientsPlan }
  | { readonly kind: "publishers"; readonly plan: PublishersPlan }
  /** Publish nothing new. */
  | { readonly kind: "hush" }
  /** Come back, stay, and join everything that is wanted. */
  | { readonly kind: "settle" };

/** How many clients read streams of events, how often they went on after an id, and the messages that they got. */
export interface StreamFigures {
  readonly clients: number;
  readonly resumes: number;
  readonly deliveries: number;
}

/** What a process tells the run. */
export type Report =
  | { readonly kind: "observed"; readonly observations: readonly Observation[] }
  /** How many clients and publishers there are on each node now, and how many messages wait for their answer. */
  | {
      readonly kind: "state";
      readonly clients: readonly number[];
      readonly publishers: readonly number[];
      readonly unanswered: number;
      readonly streams: StreamFigures;
      /** The memberships that are wanted; only once it settles. */
      readonly wanted?: readonly Membership[];
    };

/** Gathers observations and sends them in one piece a few times a second. */
export class Recorder {
  #observations: Observation[] = [];
  readonly #send: (report: Report) => void;

  constructor(send: (report: Report) => void) {
    this.#send = send;
  }

  readonly record = (observation: Observation): void => {
    this.#observations.push(observation);
  };

  flush(): void {
    if (this.#observations.length === 0) return;
    this.#send({ kind: "observed", observations: this.#observations });
    this.#observations = [];
  }
}

/** Runs in a process of the run: tells what it sees, and ends with the run. */
export function serveRun(onOrder: (order: Order) => void, state: () => Report & { kind: "state" }): Recorder {
  const send = (report: Report): void => void process.send?.(report);
  const recorder = new Recorder(send);
  // The run ends its processes by itself; a signal from the terminal is for it.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
  process.on("disconnect", () => process.exit(0));
  process.on("message", onOrder);
  setInterval(() => {
    recorder.flush();
    send(state());
  }, 100);
  return recorder;
}
