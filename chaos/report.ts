import { INVARIANTS, type Findings, type Invariant } from "./oracle/findings.ts";
import type { Figures } from "./oracle/oracle.ts";
import type { Targets } from "./options.ts";
import type { StreamFigures } from "./wire.ts";

/** A fault that was carried out. */
export interface Struck {
  readonly kind: string;
  readonly where: string;
  readonly lastsMs: number;
  /** What hung on the struck process when it began. */
  readonly clients: number;
  readonly publishers: number;
  /** There were enough of them. */
  readonly counts: boolean;
  /** Seconds from the run's start. */
  readonly at: number;
}

export interface RunResult {
  /** Unix ms. */
  readonly began: number;
  readonly seconds: number;
  readonly struck: readonly Struck[];
  /** When all were at the top, from the last fault; if some never were, when that was given up. */
  readonly topSeconds: number;
  readonly findings: Findings;
  readonly figures: Figures;
  readonly streams: StreamFigures;
  readonly alarms: readonly string[];
}

const PERCENT = 100;

/** Says what a run did, what it expected and what it saw. */
export function summaryOf(
  { seconds, struck, topSeconds, findings, figures, streams, alarms }: RunResult,
  targets?: Targets,
): string[] {
  const counted = struck.filter(({ counts }) => counts);
  const kinds = new Map<string, number>();
  for (const { kind } of counted) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const perKind = [...kinds.keys()].toSorted().map((kind) => `${kind} ${kinds.get(kind)}`);
  const { deliveries, replayed, resumes, recovered, afterLoss, trimmed, falseAlarms } = figures;
  const lines = [
    "",
    `it ran for ${seconds.toFixed(0)} s`,
    `faults           ${counted.length} of ${kinds.size} kinds (${struck.length - counted.length} more with too few clients)`,
    `                 ${perKind.join(", ")}`,
    `                 each with at least ${least(counted, "clients")} clients and ${least(counted, "publishers")} publishers on the struck process`,
    `deliveries       ${deliveries}, ${percent(replayed, deliveries)} by replay`,
    `streams          ${streams.clients} clients read streams of events: ${streams.deliveries} of the deliveries, ${streams.resumes} resumes`,
    `joins            ${figures.joins}, of them ${resumes} resumes: ${recovered} recovered, ${trimmed} trimmed, ${afterLoss} after a loss`,
    `false alarms     ${falseAlarms} (${percent(falseAlarms, resumes - afterLoss)} of resumes outside data-losing faults)`,
    `published        ${figures.acknowledged} acknowledged, ${figures.duplicates} of them duplicates; ${figures.unknown} answers unknown, ${figures.refused} refused`,
    `lost             ${figures.acknowledgedLost} acknowledged messages in data-losing faults, told by ${figures.gaps} gaps in all`,
    `at the top       ${topSeconds.toFixed(1)} s after the last fault (aimed at: 10 s)`,
    `wrong            ${findings.total}`,
  ];
  for (const invariant of Object.keys(INVARIANTS) as Invariant[]) {
    const count = findings.count(invariant);
    lines.push(`  ${invariant.padEnd(4)}${String(count).padStart(8)}  ${INVARIANTS[invariant]}`);
  }
  lines.push(
    ...findings.examples.slice(0, 40).map(({ invariant, room, text }) => `  ${invariant} ${room}: ${text}`),
  );
  lines.push(...alarms.map((text) => `  false alarm: ${text}`));
  if (targets !== undefined)
    lines.push(...missedTargets({ struck, figures }, targets).map((text) => `MISSED: ${text}`));
  return lines;
}

/** Which figures a run fell short of, a line each. */
export function missedTargets(
  { struck, figures }: Pick<RunResult, "struck" | "figures">,
  targets: Targets,
): string[] {
  const counted = struck.filter(({ counts }) => counts);
  const kinds = new Set(counted.map(({ kind }) => kind)).size;
  const share = figures.deliveries === 0 ? 0 : figures.replayed / figures.deliveries;
  const checks: readonly (readonly [string, number, number])[] = [
    ["deliveries", figures.deliveries, targets.deliveries],
    ["faults", counted.length, targets.faults],
    ["kinds of faults", kinds, targets.kinds],
    ["resumes", figures.resumes, targets.resumes],
    ["part of deliveries by replay", share, targets.replayed],
  ];
  return checks
    .filter(([, seen, expected]) => seen < expected)
    .map(([what, seen, expected]) => `${what}: expected at least ${expected}, seen ${seen}`);
}

function least(struck: readonly Struck[], what: "clients" | "publishers"): number {
  return struck.length === 0 ? 0 : Math.min(...struck.map((one) => one[what]));
}

function percent(part: number, whole: number): string {
  return `${whole === 0 ? 0 : ((PERCENT * part) / whole).toFixed(1)} %`;
}
