import { DataTemplate, nowMicros } from "../wire/message.ts";
import { HttpLane, type Body } from "./http-lane.ts";
import type { Lane } from "./lane.ts";

/** How messages get to the server: by POST, by sockets, by `emitToRoom`, or by `SPUBLISH` to the stock adapter. */
export type Way = "http" | "sockets" | "emitToRoom" | "spublish";

/** What publishes in one cell. */
export interface LoadPlan {
  readonly way: Way;
  readonly url: string;
  readonly redisUrl: string;
  readonly rooms: readonly string[];
  readonly dataBytes: number;
  /** Publishes that are under way at once. */
  readonly inFlight: number;
  /** Messages in one publish. */
  readonly batch: number;
  readonly body: Body;
  /** A publish is under way until it has come out of the one room at this server. */
  readonly deliveredAt?: string;
}

/** How long, and at which rate; without one, as fast as the answers come. */
export interface Run {
  readonly seconds: number;
  readonly perSecond?: number;
}

export interface RunResult {
  /** Messages since the process began, by room. */
  readonly published: Readonly<Record<string, number>>;
  /** Those of this run. */
  readonly messages: number;
}

/** How often it is looked what is due, in ms. */
const TICK_MS = 1;

/** Publishes numbered messages, into each room from 1 on. */
export class Publishers {
  readonly #plan: LoadPlan;
  readonly #lanes: readonly Lane[];
  readonly #template: DataTemplate;
  readonly #published: number[];
  #nextRoom = 0;
  #messages = 0;

  private constructor(plan: LoadPlan, lanes: readonly Lane[]) {
    this.#plan = plan;
    this.#lanes = lanes;
    this.#template = new DataTemplate(plan.dataBytes);
    this.#published = plan.rooms.map(() => 0);
  }

  static async start(plan: LoadPlan): Promise<Publishers> {
    const lanes = await lanesOf(plan);
    if (plan.deliveredAt === undefined) return new Publishers(plan, lanes);
    const { untilDelivered } = await import("./arrivals.ts");
    return new Publishers(plan, await untilDelivered(lanes, plan.deliveredAt, plan.rooms[0]!));
  }

  /** Publishes for so long; resolves when all of it is acknowledged. @throws Error of the first publish that fails */
  async run({ seconds, perSecond }: Run): Promise<RunResult> {
    this.#messages = 0;
    const until = nowMicros() + seconds * 1e6;
    await (perSecond === undefined ? this.#atFullSpeed(until) : this.#atRate(perSecond, until));
    const published = Object.fromEntries(this.#plan.rooms.map((room, i) => [room, this.#published[i]!]));
    return { published, messages: this.#messages };
  }

  async #atFullSpeed(until: number): Promise<void> {
    await Promise.all(
      this.#lanes.map(async (lane) => {
        do await this.#publish(lane, nowMicros());
        while (nowMicros() < until);
      }),
    );
  }

  /** A message that finds no free lane waits, and its time counts from when it was due. */
  async #atRate(perSecond: number, until: number): Promise<void> {
    const free = [...this.#lanes];
    const running = new Set<Promise<void>>();
    const failed: unknown[] = [];
    const step = 1e6 / perSecond;
    for (let due = nowMicros(); due < until && failed.length === 0;) {
      while (due <= nowMicros() && free.length > 0 && due < until) {
        const lane = free.pop()!;
        const one = this.#publish(lane, Math.floor(due))
          .catch((error: unknown) => void failed.push(error))
          .finally(() => {
            free.push(lane);
            running.delete(one);
          });
        running.add(one);
        due += step;
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    await Promise.all(running);
    if (failed.length > 0) throw failed[0];
  }

  async #publish(lane: Lane, at: number): Promise<void> {
    const index = this.#nextRoom;
    this.#nextRoom = (index + 1) % this.#plan.rooms.length;
    const datas = Array.from({ length: this.#plan.batch }, () =>
      this.#template.json((this.#published[index]! += 1), at),
    );
    this.#messages += datas.length;
    await lane.send(this.#plan.rooms[index]!, datas);
  }
}

async function lanesOf({ way, url, redisUrl, inFlight, body }: LoadPlan): Promise<Lane[]> {
  const numbers = Array.from({ length: inFlight }, (_, i) => i);
  if (way === "http") return numbers.map(() => new HttpLane(url, body));
  // Most cells need none of what these load.
  const { emitToRoomLanes, shardedPublishLane, socketLane } = await import("./other-lanes.ts");
  if (way === "sockets") return Promise.all(numbers.map(() => socketLane(url)));
  return way === "emitToRoom" ? emitToRoomLanes(redisUrl, inFlight) : [await shardedPublishLane(redisUrl)];
}
