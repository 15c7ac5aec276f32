import { between, oneOf, randomFrom, type Random } from "../random.ts";
import type { FaultKind } from "./faults.ts";
import { NODE_FAULTS } from "./node-faults.ts";
import { REDIS_FAULTS } from "./redis-faults.ts";

/** Everything that a run can do to a hub. */
export const FAULT_KINDS: readonly FaultKind[] = [...NODE_FAULTS, ...REDIS_FAULTS];

/** A fault of a schedule. */
export interface PlannedFault {
  readonly kind: FaultKind;
  readonly node: number;
  readonly lastsMs: number;
}

/** Faults that begin together, one or two, and the pause after the last of them has ended. */
export interface Step {
  readonly faults: readonly PlannedFault[];
  readonly pauseMs: number;
}

const LASTS_MS = { least: 1_000, most: 8_000 };
const PAUSE_MS = { least: 1_500, most: 4_000 };
/** The part of steps that have two faults. */
const TWO = 0.4;

/**
 * Draws steps without end: equal seeds, kinds and numbers of nodes give equal steps. Each kind comes once before any
 * comes again.
 */
export function* schedule(seed: number, kinds: readonly FaultKind[], nodes: number): Generator<Step> {
  const random = randomFrom(seed);
  let bag: FaultKind[] = [];
  const draw = (): PlannedFault => {
    if (bag.length === 0) bag = shuffled(random, kinds);
    return {
      kind: bag.pop()!,
      node: Math.floor(random() * nodes),
      lastsMs: between(random, LASTS_MS.least, LASTS_MS.most),
    };
  };
  for (;;) {
    const first = draw();
    const faults = [first];
    if (random() < TWO) {
      const second = draw();
      // Two faults in one place would mend each other.
      if (second.kind.strikes === "node" && first.kind.strikes === "node" && second.node === first.node)
        faults.push({ ...second, node: (first.node + 1) % nodes });
      else if (second.kind.strikes !== first.kind.strikes || second.kind.strikes === "node")
        faults.push(second);
      else bag.push(second.kind);
    }
    const apart = faults.filter(({ kind }) => compatible(kind, faults));
    yield { faults: apart, pauseMs: between(random, PAUSE_MS.least, PAUSE_MS.most) };
  }
}

/** All ways to Redis are cut as one, so none of them can be cut by itself meanwhile. */
function compatible(kind: FaultKind, faults: readonly PlannedFault[]): boolean {
  if (!faults.some((fault) => fault.kind.name === "redis-cut")) return true;
  return (
    kind.strikes === "redis" ||
    !["hub-cut", "hub-mute", "hub-deaf", "hub-slow", "lost-pushes"].includes(kind.name)
  );
}

function shuffled(random: Random, kinds: readonly FaultKind[]): FaultKind[] {
  const left = [...kinds];
  const order: FaultKind[] = [];
  while (left.length > 0) {
    const kind = oneOf(random, left);
    order.push(kind);
    left.splice(left.indexOf(kind), 1);
  }
  return order;
}
