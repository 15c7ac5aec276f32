import type { Processes } from "../../chaos/processes.ts";
import { Histogram } from "../measure/histogram.ts";
import { Remote } from "../wire/calls.ts";
import { AT_ONCE, type Connecting, type CrowdPlan } from "./crowd.ts";
import type { SubscriberApi } from "./process.ts";

/** More connections than this are shared by two processes. */
const SOCKETS_PER_PROCESS = 2_500;
/** A socket that gets nothing for so long will not get the rest, in ms. */
const SILENCE_MS = 10_000;

/** The subscribers of one cell, in as many processes as they need. */
export class Subscribers {
  readonly #remotes: readonly Remote<SubscriberApi>[];

  private constructor(remotes: readonly Remote<SubscriberApi>[]) {
    this.#remotes = remotes;
  }

  /** Starts the processes, none of which has sockets and streams; nothing is connected yet. */
  static async start(processes: Processes, ...plans: readonly CrowdPlan[]): Promise<Subscribers> {
    const shares = plans.flatMap((plan) => {
      const count = Math.max(1, Math.ceil((plan.rooms.length * plan.socketsPerRoom) / SOCKETS_PER_PROCESS));
      return Array.from({ length: count }, (_, i) => share(plan, i, count));
    });
    const remotes = await Promise.all(
      shares.map(async (own, i) => {
        const module = new URL("process.js", import.meta.url).href;
        const remote = new Remote<SubscriberApi>(processes.fork(`subscribers-${i}`, module));
        await remote.call("plan", own);
        return remote;
      }),
    );
    return new Subscribers(remotes);
  }

  /** Connects and joins; `atOnce` is that of all processes together. @returns seconds until the last one is in its room */
  async connect({ atOnce = AT_ONCE, ...connecting }: Connecting): Promise<number> {
    const each = Math.ceil(atOnce / this.#remotes.length);
    return Math.max(
      ...(await this.#all((remote) => remote.call("connect", { ...connecting, atOnce: each }))),
    );
  }

  async cut(): Promise<void> {
    await this.#all((remote) => remote.call("cut"));
  }

  /** Waits until everybody has all of its room's messages. @returns what is wrong, in words */
  async settle(messages: Readonly<Record<string, number>>): Promise<string[]> {
    const whole = await this.#all((remote) => remote.call("settle", messages, SILENCE_MS));
    const states = await this.#all((remote) => remote.call("state"));
    const wrong = states.flatMap(({ faults, lost }) => [...faults.examples, ...new Set(lost)]);
    const { holes, doubles, payloads } = states.reduce(
      (sum, { faults }) => ({
        holes: sum.holes + faults.holes,
        doubles: sum.doubles + faults.doubles,
        payloads: sum.payloads + faults.payloads,
      }),
      { holes: 0, doubles: 0, payloads: 0 },
    );
    if (wrong.length > 0) wrong.unshift(`${holes} holes, ${doubles} doubles, ${payloads} wrong payloads`);
    if (whole.includes(false)) wrong.push("not every subscriber has exactly what was published");
    return wrong;
  }

  /** Messages that all sockets together have got. */
  async received(): Promise<number> {
    const states = await this.#all((remote) => remote.call("state"));
    return states.reduce((sum, { received }) => sum + received, 0);
  }

  /** The times of the messages since the last call. */
  async latencies(): Promise<Histogram> {
    const histogram = new Histogram();
    for (const counts of await this.#all((remote) => remote.call("latencies"))) histogram.merge(counts);
    return histogram;
  }

  get pids(): readonly number[] {
    return this.#remotes.map(({ pid }) => pid);
  }

  #all<T>(ask: (remote: Remote<SubscriberApi>) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#remotes.map(ask));
  }
}

/** Many rooms are divided by room, one by its sockets. */
function share(plan: CrowdPlan, index: number, count: number): CrowdPlan {
  if (plan.rooms.length >= count) return { ...plan, rooms: plan.rooms.filter((_, i) => i % count === index) };
  const each = Math.floor(plan.socketsPerRoom / count) + (index < plan.socketsPerRoom % count ? 1 : 0);
  return { ...plan, socketsPerRoom: each };
}
