import { createClient } from "redis";
import type { Processes } from "../../chaos/processes.ts";
import type { Cell, Scenario } from "../scenario.ts";
import type { Target } from "../servers/servers.ts";
import { difference, named, stage, withPeers, type FanOut } from "./fan-out.ts";

const CLIENTS = 5_000;
const SMOKE_CLIENTS = 50;
/** Published in one run each: before the connections are cut, and while everybody is away. */
const BATCH = 50;
/** By which roomcast reads its log in Redis. */
const READS = ["xrange", "xrevrange"];

export const resumeStorm: Scenario = {
  name: "resume-storm",
  does: "5,000 clients lose their connections, miss 50 messages or more, and resume one room at once",
  cases: (settings) => {
    const socketsPerRoom = settings.sockets ?? (settings.smoke ? SMOKE_CLIENTS : CLIENTS);
    const plan = {
      socketsPerRoom,
      load: { inFlight: 1, batch: BATCH, body: "array" },
      run: { seconds: 0 },
    } as const;
    return [
      {
        name: `${socketsPerRoom} clients`,
        targets: withPeers(settings),
        compared: [{ figure: "s until all live", better: "less" }],
        measure: (target, processes) => storm(target, processes, plan),
      },
    ];
  },
};

/** The peer has no history: its clients come back and join, and what they missed is lost by design. */
async function storm(target: Target, processes: Processes, plan: FanOut): Promise<Cell> {
  const { servers, subscribers, publishers } = await stage(processes, target, plan);
  const resumes = target.kind === "roomcast";
  const first = await publishers.call("run", plan.run);
  const wrong = await subscribers.settle(first.published);
  await subscribers.cut();
  if (resumes) await publishers.call("run", plan.run);
  const [cpuBefore, readsBefore] = [servers.cpu(), await historyReads(servers.redisUrl)];
  const seconds = await subscribers.connect({
    url: servers.urls[0]!,
    since: resumes,
    atOnce: plan.socketsPerRoom,
  });
  const reads = (await historyReads(servers.redisUrl)) - readsBefore;
  const cpu = difference(servers.cpu(), cpuBefore);
  const last = await publishers.call("run", plan.run);
  wrong.push(...(await subscribers.settle(last.published)));
  const counted = resumes && servers.redisUrl !== "" ? { "history reads": reads } : {};
  return { figures: { "s until all live": seconds, ...counted, ...named(cpu) }, wrong };
}

/** How often Redis has read a log so far, in whatever script. */
async function historyReads(redisUrl: string): Promise<number> {
  if (redisUrl === "") return Number.NaN;
  const client = createClient({ url: redisUrl });
  await client.connect();
  const stats = await client.info("commandstats");
  client.destroy();
  const found = stats.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm);
  return [...found].reduce((sum, [, name, calls]) => sum + (READS.includes(name!) ? Number(calls) : 0), 0);
}
