import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Profiler } from "node:inspector";

/** Where a server's time goes, by whose code it is. The first that fits. */
const AREAS: readonly (readonly [name: string, url: RegExp])[] = [
  ["engine.io, ws, socket.io", /node_modules\/(@socket\.io|socket\.io[^/]*|engine\.io[^/]*|ws)\//],
  ["redis", /node_modules\/(@redis|redis)\//],
  ["lmdb", /node_modules\/lmdb\//],
  ["express and its middleware, zod", /node_modules\//],
  ["node", /^node:/],
  ["the server itself", /^file:/],
];
const NATIVE = "system calls and other native code";
/** What the profiler itself calls by these names is no function. */
const UNNAMED: Readonly<Record<string, string | undefined>> = {
  "(garbage collector)": "garbage collection",
  "(program)": NATIVE,
};

/** Percent of the busy time of a profile, by area, the largest first. */
export function areasOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): [string, number][] {
  const byNode = new Map(nodes.map((node) => [node.id, areaOf(node.callFrame)]));
  const times = new Map<string, number>();
  let busy = 0;
  samples.forEach((id, i) => {
    const area = byNode.get(id);
    if (area === undefined) return;
    const time = timeDeltas[i] ?? 0;
    times.set(area, (times.get(area) ?? 0) + time);
    busy += time;
  });
  return [...times]
    .map(([area, time]): [string, number] => [area, (100 * time) / busy])
    .toSorted(([, a], [, b]) => b - a);
}

/** One line for each profile of a folder. */
export function profileLines(folder: string): string[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
  return files.toSorted().map((name) => {
    const profile = JSON.parse(readFileSync(join(folder, name), "utf8")) as Profiler.Profile;
    const areas = areasOf(profile).map(([area, percent]) => `${area} ${percent.toFixed(1)} %`);
    return `${name}: ${areas.join("; ")}`;
  });
}

/** Undefined for time in which nothing was to be done. */
function areaOf({ functionName, url }: Profiler.ProfileNode["callFrame"]): string | undefined {
  if (functionName === "(idle)") return undefined;
  if (url === "") return UNNAMED[functionName] ?? NATIVE;
  return AREAS.find(([, pattern]) => pattern.test(url))?.[0] ?? "the server itself";
}
