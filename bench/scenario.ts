import type { Processes } from "../chaos/processes.ts";
import type { Store, Target } from "./servers/servers.ts";

/** What the command line says about a run. */
export interface Settings {
  readonly pairs: number;
  /** How long is measured, in each cell. */
  readonly seconds: number;
  /** In place of each scenario's own number of sockets. */
  readonly sockets?: number;
  readonly stores: readonly Store[];
  /** Tiny sizes, to see that everything runs. */
  readonly smoke: boolean;
}

/** What one cell measured, by the name of the figure. */
export type Figures = Readonly<Record<string, number>>;

/** One measurement of one target; void if anything was wrong with what the subscribers got. */
export interface Cell {
  readonly figures: Figures;
  /** What was wrong, in words. */
  readonly wrong: readonly string[];
}

/** What of a case's figures is compared. */
export interface Compared {
  readonly figure: string;
  readonly better: "more" | "less";
}

/** Targets that are measured in turn, under the same load. */
export interface Case {
  readonly name: string;
  readonly targets: readonly Target[];
  readonly compared: readonly Compared[];
  /** Measures a target once, with processes of its own. */
  measure(target: Target, processes: Processes): Promise<Cell>;
}

export interface Scenario {
  readonly name: string;
  /** One line. */
  readonly does: string;
  readonly cases: (settings: Settings) => readonly Case[];
}
