import type { ChaosOptions } from "../options.ts";
import { ROOMS } from "../options.ts";
import type { RunResult } from "../report.ts";
import { runChaos } from "../run.ts";
import type { RoomPlan } from "../wire.ts";
import { BUGS, plantedRoom, type Bug } from "./bugs.ts";

/** Rooms with a bug have this many messages a second, and this part of the clients. */
const TRAFFIC = { rate: 3, share: 0.3 };
/** The part of the clients in rooms whose bug shows in streams of events only. */
const STREAMS_SHARE = 0.8;
/** Kept in rooms whose bug shows only where messages are gone. */
const KEEPS = 8;

/** What became of one bug. */
export interface Caught {
  readonly bug: Bug;
  /** The invariants that caught it, the first one first. */
  readonly by: readonly string[];
  /** From the start of the run to what shows it; undefined if nothing did. */
  readonly seconds: number | undefined;
}

/** Runs a hub whose first node has bugs, each in a room of its own, beside rooms without any. */
export async function runPlanted(
  names: readonly string[],
  options: Omit<ChaosOptions, "planted" | "rooms">,
): Promise<{ readonly caught: readonly Caught[]; readonly clean: boolean; readonly result: RunResult }> {
  const bugs = BUGS.filter(({ name }) => names.includes(name));
  const planted = bugs.map((bug): RoomPlan => ({
    room: plantedRoom(bug),
    ...TRAFFIC,
    planted: true,
    ...(bug.needsStreams === true ? { share: STREAMS_SHARE } : {}),
    ...(bug.needsBound === true ? { keeps: KEEPS } : {}),
  }));
  const result = await runChaos({ ...options, planted: names, rooms: [...ROOMS, ...planted] });
  const { examples } = result.findings;
  const caught = bugs.map((bug): Caught => {
    const own = examples.filter(({ room }) => room === plantedRoom(bug));
    const by = [...new Set(own.map(({ invariant }) => invariant))];
    return { bug, by, seconds: own[0] === undefined ? undefined : (own[0].at - result.began) / 1_000 };
  });
  const clean = examples.every(({ room }) => room === "" || planted.some((plan) => plan.room === room));
  return { caught, clean, result };
}
