import { createWriteStream, mkdirSync, writeFileSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Position } from "../shared/position.ts";
import { Cluster, NODES } from "./cluster.ts";
import { Crew } from "./crew.ts";
import { schedule, type PlannedFault } from "./faults/schedule.ts";
import { LEAST_CLIENTS, type ChaosOptions } from "./options.ts";
import type { Observation } from "./oracle/observations.ts";
import { Oracle } from "./oracle/oracle.ts";
import { Processes } from "./processes.ts";
import { readHead, readLog } from "./read-back.ts";
import { requireRedis } from "./redis-process.ts";
import type { Struck, RunResult } from "./report.ts";

/** All are there and have their first messages, before the first fault; in ms. */
const CALM_MS = 5_000;
/** A fault waits so long for enough clients on what it strikes; then it is left out. */
const BALANCE_MS = 25_000;
/** After the last fault there is publishing for so long, in ms; then all have to be at the top within … */
const AFTERWARDS_MS = 3_000;
/** … so long, from the last fault: a busy machine may need more than the 10 s that are aimed at. */
const TOP_MS = 30_000;
/** With planted bugs some never get there. */
const PLANTED_TOP_MS = 10_000;
const PROGRESS_MS = 5_000;

/** Runs hubs, clients and publishers, strikes them, and judges what they saw. Leaves nothing behind. */
export async function runChaos(options: ChaosOptions): Promise<RunResult> {
  requireRedis();
  const run = new Run(options);
  try {
    return await run.run();
  } finally {
    await run.end();
  }
}

class Run {
  readonly #options: ChaosOptions;
  readonly #processes: Processes;
  readonly #oracle: Oracle;
  readonly #events: WriteStream | undefined;
  readonly #struck: Struck[] = [];
  readonly #failure = new AbortController();
  readonly #signal: AbortSignal;
  readonly #began = Date.now();
  readonly #progress: NodeJS.Timeout;
  #topMs = 0;
  #cluster: Cluster | undefined;
  #crew: Crew | undefined;

  constructor(options: ChaosOptions) {
    this.#options = options;
    const { keep, rooms } = options;
    if (keep !== undefined) mkdirSync(keep, { recursive: true });
    this.#events = keep === undefined ? undefined : createWriteStream(join(keep, "observations.ndjson"));
    this.#processes = new Processes(keep);
    const bounded = rooms.flatMap(({ room, keeps }) => (keeps === undefined ? [] : [[room, keeps] as const]));
    this.#oracle = new Oracle(new Map(bounded));
    this.#signal = AbortSignal.any([options.signal, this.#failure.signal]);
    this.#progress = setInterval(() => this.#tellProgress(), PROGRESS_MS);
  }

  async run(): Promise<RunResult> {
    const { rooms, planted, seed, clients } = this.#options;
    const cluster = await Cluster.start(this.#processes, rooms, planted);
    this.#cluster = cluster;
    const crew = new Crew({
      processes: this.#processes,
      seed,
      clients,
      urls: cluster.urls,
      redisUrl: `redis://127.0.0.1:${cluster.workers.port}`,
      rooms,
      onObservations: (observations) => observations.forEach((one) => this.#observe(one)),
      onFailure: (error) => this.#failure.abort(error),
    });
    this.#crew = crew;
    await this.#pause(CALM_MS);
    await this.#strike(cluster, crew);
    await this.#settle(cluster, crew);
    await this.#readBack(cluster);
    crew.dismiss();
    return this.#judge(crew);
  }

  async end(): Promise<void> {
    clearInterval(this.#progress);
    this.#crew?.dismiss();
    await this.#processes.end();
    await this.#cluster?.close();
    this.#events?.end();
  }

  async #strike(cluster: Cluster, crew: Crew): Promise<void> {
    const { seed, kinds, seconds, faults } = this.#options;
    const end = Date.now() + seconds * 1_000;
    if (kinds.length === 0) return this.#pause(seconds * 1_000);
    for (const step of schedule(seed, kinds, NODES)) {
      if (Date.now() >= end || this.#struck.length >= faults) return;
      await this.#balanced(step.faults, crew);
      await Promise.all(step.faults.map((fault) => this.#strikeOne(fault, cluster, crew)));
      await this.#pause(step.pauseMs);
    }
  }

  /** Waits until enough hangs on everything that is about to be struck. */
  async #balanced(faults: readonly PlannedFault[], crew: Crew): Promise<void> {
    const least = Math.min(LEAST_CLIENTS, Math.floor(this.#options.clients / 5));
    const end = Date.now() + BALANCE_MS;
    const isReady = (fault: PlannedFault): boolean => {
      const { clients, publishers } = hangingOn(fault, crew);
      return clients >= least && publishers > 0;
    };
    while (!faults.every(isReady) && Date.now() < end) await this.#pause(50);
  }

  async #strikeOne(fault: PlannedFault, cluster: Cluster, crew: Crew): Promise<void> {
    const { kind, node, lastsMs } = fault;
    const { clients, publishers } = hangingOn(fault, crew);
    const counts = clients >= LEAST_CLIENTS && publishers > 0;
    const { name, losesData } = kind;
    const where = kind.strikes === "node" ? `node ${node}` : "Redis";
    const struck: Struck = { kind: name, where, lastsMs, clients, publishers, counts, at: this.#elapsed };
    this.#struck.push(struck);
    this.#say(
      `${name} on ${where} for ${(lastsMs / 1_000).toFixed(1)} s (${clients} clients, ${publishers} publishers${counts ? "" : "; too few to count"})`,
    );
    const tell = (what: "fault" | "returning" | "healed"): void =>
      this.#observe({ kind: what, at: Date.now(), name, losesData });
    tell("fault");
    try {
      await kind.run(
        cluster,
        node,
        () => this.#pause(lastsMs),
        () => tell("returning"),
      );
    } finally {
      tell("healed");
    }
  }

  async #settle(cluster: Cluster, crew: Crew): Promise<void> {
    const healed = Date.now();
    this.#say("the faults are over: all come back, and have to get to the top");
    crew.tell({ kind: "settle" });
    await this.#pause(AFTERWARDS_MS);
    crew.tell({ kind: "hush" });
    let heads = new Map<string, Position>();
    const mostMs = this.#options.planted.length > 0 ? PLANTED_TOP_MS : TOP_MS;
    for (;;) {
      await this.#pause(250);
      heads = await this.#heads(cluster).catch(() => heads);
      const isOver = Date.now() > healed + mostMs;
      const late = this.#oracle.behind(heads, crew.wanted);
      if (isOver || (late.length === 0 && crew.unanswered === 0 && crew.wanted.length > 0)) break;
    }
    this.#topMs = Date.now() - healed;
    this.#oracle.tooLate(heads, crew.wanted, Date.now());
    if (crew.wanted.length === 0) throw new Error("no client says where it wants to be");
  }

  async #heads(cluster: Cluster): Promise<Map<string, Position>> {
    const { ownUrl } = cluster.nodes[1]!;
    const rooms = this.#options.rooms.map(async ({ room }) => [room, await readHead(ownUrl, room)] as const);
    return new Map(await Promise.all(rooms));
  }

  async #readBack(cluster: Cluster): Promise<void> {
    // What the processes saw last is on its way.
    await this.#pause(300);
    for (const { name, ownUrl } of cluster.nodes)
      for (const { room } of this.#options.rooms)
        this.#oracle.readBack(await readLog(name, ownUrl, room), Date.now());
  }

  #judge({ streams }: Crew): RunResult {
    this.#oracle.finish(Date.now());
    const { findings, figures, alarms } = this.#oracle;
    const result = {
      began: this.#began,
      seconds: this.#elapsed,
      struck: this.#struck,
      topSeconds: this.#topMs / 1_000,
      findings,
      figures,
      streams,
      alarms,
    };
    const { keep, seed } = this.#options;
    if (keep !== undefined) {
      const { examples } = findings;
      const kept = { seed, struck: this.#struck, figures, streams, findings: examples, alarms };
      writeFileSync(join(keep, "result.json"), JSON.stringify(kept, undefined, 2));
    }
    return result;
  }

  #observe(observation: Observation): void {
    this.#events?.write(`${JSON.stringify(observation)}\n`);
    this.#oracle.observe(observation);
  }

  #tellProgress(): void {
    const { deliveries, replayed, resumes, acknowledged, unknown } = this.#oracle.figures;
    const clients = Array.from({ length: NODES }, (_, node) => this.#crew?.clientsOn(node) ?? 0).join("+");
    const share = deliveries === 0 ? 0 : Math.round((100 * replayed) / deliveries);
    this.#say(
      `${clients} clients, ${deliveries} deliveries (${share} % replayed), ${resumes} resumes, ${acknowledged} published, ${unknown} unknown, ${this.#oracle.findings.total} wrong`,
    );
  }

  #say(text: string): void {
    this.#options.print(`${this.#elapsed.toFixed(0).padStart(5)} s  ${text}`);
  }

  get #elapsed(): number {
    return (Date.now() - this.#began) / 1_000;
  }

  async #pause(ms: number): Promise<void> {
    try {
      await sleep(ms, undefined, { signal: this.#signal });
    } catch {
      throw this.#signal.reason;
    }
  }
}

/** How many clients and publishers a fault strikes: those of its node, or for Redis all. */
function hangingOn({ kind, node }: PlannedFault, crew: Crew): { clients: number; publishers: number } {
  const nodes = kind.strikes === "node" ? [node] : Array.from({ length: NODES }, (_, index) => index);
  const sum = (of: (index: number) => number): number => nodes.reduce((all, index) => all + of(index), 0);
  return {
    clients: sum((index) => crew.clientsOn(index)),
    publishers: sum((index) => crew.publishersOn(index)),
  };
}
