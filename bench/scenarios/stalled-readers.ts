import type { Processes } from "../../chaos/processes.ts";
import { rssKib } from "../measure/processes.ts";
import type { Cell, Scenario } from "../scenario.ts";
import type { Servers, Target } from "../servers/servers.ts";
import { Subscribers } from "../subscribers/group.ts";
import { stage, withPeers, type FanOut } from "./fan-out.ts";

const STALLED = 50;
const READERS = 10;
/** Together 5 MB/s for each socket of the room. */
const DATA_BYTES = 10_000;
const PER_SECOND = 500;
/** The kernel's buffers take the first seconds' worth. */
const LEAST_SECONDS = 8;
const SAMPLE_MS = 50;

export const stalledReaders: Scenario = {
  name: "stalled-readers",
  does: "50 sockets stop reading under 5 MB/s: memory of the server, and the others' p99 against the same without them",
  cases: (settings) => {
    const seconds = settings.smoke ? settings.seconds : Math.max(settings.seconds, LEAST_SECONDS);
    const run = { seconds, perSecond: PER_SECOND };
    const plan = { socketsPerRoom: READERS, dataBytes: DATA_BYTES, load: {}, run };
    return [
      {
        name: `${STALLED} of ${STALLED + READERS} sockets`,
        targets: withPeers(settings),
        compared: [
          { figure: "RSS MiB grown", better: "less" },
          { figure: "p99 x base", better: "less" },
        ],
        measure: (target, processes) => stall(target, processes, plan),
      },
    ];
  },
};

async function stall(target: Target, processes: Processes, plan: FanOut): Promise<Cell> {
  const { servers, subscribers, publishers } = await stage(processes, target, plan);
  // The first second of a program is no base.
  const warmUp = await publishers.call("run", { ...plan.run, seconds: Math.min(1, plan.run.seconds) });
  const wrong = await subscribers.settle(warmUp.published);
  await subscribers.latencies();
  const base = await publishers.call("run", plan.run);
  wrong.push(...(await subscribers.settle(base.published)));
  const baseP99 = (await subscribers.latencies()).percentile(0.99);

  const crowd = { rooms: ["stream:bench-0"], dataBytes: DATA_BYTES, stalled: true };
  const stalled = await Subscribers.start(processes, { ...crowd, socketsPerRoom: STALLED });
  await stalled.connect({ url: servers.urls[0]! });
  const before = memoryOf(servers);
  let most = before;
  const sampling = setInterval(() => (most = Math.max(most, memoryOf(servers))), SAMPLE_MS);
  try {
    const { published } = await publishers.call("run", plan.run);
    wrong.push(...(await subscribers.settle(published)));
  } finally {
    clearInterval(sampling);
  }
  const p99 = (await subscribers.latencies()).percentile(0.99);
  const figures = {
    "RSS MiB grown": (most - before) / 1_024,
    "p99 x base": p99 / baseP99,
    "p99 ms": p99,
    "base p99 ms": baseP99,
  };
  return { figures, wrong: [...new Set(wrong)] };
}

function memoryOf({ nodes }: Servers): number {
  return nodes.reduce((sum, { child, runs }) => sum + (runs ? rssKib(child.pid!) : 0), 0);
}
