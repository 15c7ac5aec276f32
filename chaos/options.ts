import { FAULT_KINDS } from "./faults/schedule.ts";
import type { FaultKind } from "./faults/faults.ts";
import type { RoomPlan } from "./wire.ts";

/** What a run must come to, beside nothing being wrong. */
export interface Targets {
  readonly deliveries: number;
  readonly faults: number;
  readonly kinds: number;
  readonly resumes: number;
  /** The part of deliveries that came by replay, from 0 to 1. */
  readonly replayed: number;
}

export interface ChaosOptions {
  readonly seed: number;
  /** Faults begin for so long, in seconds … */
  readonly seconds: number;
  /** … or until there have been so many. */
  readonly faults: number;
  readonly kinds: readonly FaultKind[];
  readonly clients: number;
  /** A folder for what happened, in full. */
  readonly keep?: string;
  /** Names of bugs that node 0 has. */
  readonly planted: readonly string[];
  readonly rooms: readonly RoomPlan[];
  readonly targets?: Targets;
  readonly print: (line: string) => void;
  /** Ends the run at once. */
  readonly signal: AbortSignal;
}

/** Hot and cold ones, of both kinds, and one that forgets what clients may still want. */
export const ROOMS: readonly RoomPlan[] = [
  { room: "stream:hot", rate: 6, share: 0.5 },
  { room: "chat:hot", rate: 4, share: 0.5 },
  { room: "stream:warm", rate: 2, share: 0.4 },
  { room: "chat:warm", rate: 2, share: 0.4 },
  { room: "stream:cool", rate: 0.6, share: 0.3 },
  { room: "chat:cool", rate: 0.6, share: 0.3 },
  { room: "stream:cold", rate: 0.15, share: 0.2 },
  { room: "chat:cold", rate: 0.15, share: 0.2 },
  { room: "chat:forgetful", rate: 3, share: 0.08, keeps: 15 },
];

/** Nothing is begun on a process to which fewer clients are connected, or no publisher. */
export const LEAST_CLIENTS = 50;

/** The run of every day: what issues and CI ask for. */
export const GATE: {
  readonly seed: number;
  readonly seconds: number;
  readonly clients: number;
  readonly targets: Targets;
} = {
  seed: 1,
  seconds: 320,
  clients: 260,
  targets: { deliveries: 200_000, faults: 30, kinds: 8, resumes: 500, replayed: 0.2 },
};

/** The kinds of these names. @throws RangeError for a name that no kind has */
export function kindsNamed(names: readonly string[]): readonly FaultKind[] {
  return names.map((name) => {
    const kind = FAULT_KINDS.find((one) => one.name === name);
    if (kind === undefined)
      throw new RangeError(`there is no fault "${name}": roomcast chaos --list shows all`);
    return kind;
  });
}
