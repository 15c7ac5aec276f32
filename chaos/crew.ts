import type { Observation } from "./oracle/observations.ts";
import type { Membership } from "./oracle/oracle.ts";
import type { Processes, RunProcess } from "./processes.ts";
import type { Order, Report, RoomPlan, StreamFigures } from "./wire.ts";

export interface CrewOptions {
  readonly processes: Processes;
  readonly seed: number;
  readonly clients: number;
  readonly urls: readonly string[];
  /** The workers' way to Redis. */
  readonly redisUrl: string;
  readonly rooms: readonly RoomPlan[];
  readonly onObservations: (observations: readonly Observation[]) => void;
  /** A process of the crew has ended by itself. */
  readonly onFailure: (error: Error) => void;
}

type State = Report & { readonly kind: "state" };

/** More clients than this are shared by two processes. */
const CLIENTS_PER_PROCESS = 130;
const WORKERS = 2;
/** Clients stay and stay away for up to so long, in ms. */
const STAY_MS = 20_000;
const AWAY_MS = 5_000;
/** They leave no room for up to so long, in ms; where bugs are planted, leaving is what some of them show at. */
const ROOM_MS = { ordinary: 20_000, planted: 4_000 };

/** The processes of clients and of publishers. */
export class Crew {
  readonly #members: readonly RunProcess[];
  readonly #states = new Map<RunProcess, State>();
  #dismissed = false;

  constructor({ processes, seed, clients, urls, redisUrl, rooms, ...handlers }: CrewOptions) {
    const count = Math.ceil(clients / CLIENTS_PER_PROCESS);
    const each = Math.ceil(clients / count);
    const subscribers = Array.from({ length: count }, (_, i) => {
      const first = i * each;
      const roomMs = rooms.some(({ planted }) => planted === true) ? ROOM_MS.planted : ROOM_MS.ordinary;
      const times = { stayMs: STAY_MS, awayMs: AWAY_MS, roomMs };
      const plan = { seed, first, count: Math.min(each, clients - first), urls, rooms, ...times };
      return this.#hire(
        processes.fork(`clients-${i}`, "clients/process.js"),
        { kind: "clients", plan },
        handlers,
      );
    });
    const workers = Array.from({ length: WORKERS }, (_, i) => {
      const shares = { redisShare: 0.5 / WORKERS, httpShare: 0.5 / WORKERS };
      const plan = { seed: seed + 1_000 * (i + 1), name: `worker-${i}`, redisUrl, urls, rooms, ...shares };
      const order: Order = { kind: "publishers", plan };
      return this.#hire(processes.fork(`worker-${i}`, "publishers-process.js"), order, handlers);
    });
    this.#members = [...subscribers, ...workers];
  }

  /** Clients that are connected to each node now. */
  clientsOn(node: number): number {
    return this.#sum(({ clients }) => clients[node] ?? 0);
  }

  /** Publishers whose next message goes to this node. */
  publishersOn(node: number): number {
    return this.#sum(({ publishers }) => publishers[node] ?? 0);
  }

  /** Messages whose publishers do not know what became of them. */
  get unanswered(): number {
    return this.#sum(({ unanswered }) => unanswered);
  }

  /** What its readers of streams have come to. */
  get streams(): StreamFigures {
    return {
      clients: this.#sum(({ streams }) => streams.clients),
      resumes: this.#sum(({ streams }) => streams.resumes),
      deliveries: this.#sum(({ streams }) => streams.deliveries),
    };
  }

  /** Memberships that clients want; none before they settle. */
  get wanted(): readonly Membership[] {
    return [...this.#states.values()].flatMap(({ wanted }) => wanted ?? []);
  }

  tell(order: Order): void {
    for (const { child } of this.#members) if (child.connected) child.send(order);
  }

  /** Their end is no failure from now on. */
  dismiss(): void {
    this.#dismissed = true;
  }

  #hire(
    member: RunProcess,
    order: Order,
    { onObservations, onFailure }: Pick<CrewOptions, "onObservations" | "onFailure">,
  ): RunProcess {
    member.child.on("message", (report: Report) => {
      if (report.kind === "state") this.#states.set(member, report);
      else onObservations(report.observations);
    });
    member.child.once("exit", () => {
      if (!this.#dismissed) onFailure(new Error(`${member.name} has ended:\n${member.output}`));
    });
    member.child.send(order);
    return member;
  }

  #sum(of: (state: State) => number): number {
    return [...this.#states.values()].reduce((sum, state) => sum + of(state), 0);
  }
}
