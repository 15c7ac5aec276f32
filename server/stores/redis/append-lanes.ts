import { HubError } from "../../../shared/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../../../shared/limits.ts";
import { Lane } from "../../../shared/lane.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type { Appended, Draft, Retention } from "../../hub/broker.ts";
import { within } from "./deadline.ts";
import { unavailable } from "./store-error.ts";

/** A call that waited behind a slow batch still ends within the 2 s that a request may take. */
const WAIT_GRACE_MS = 300;

type Append = (
  room: RoomName,
  drafts: readonly Draft[],
  retention: Retention,
) => Promise<readonly Appended[]>;
export type LaneLimits = Pick<Limits, "batchMessages" | "batchBytes" | "redisCommandMs">;

interface Call {
  readonly drafts: readonly Draft[];
  readonly retention: Retention;
  givenUp: boolean;
}

/** Sends the appends of each room in their order, one batch under way per room. The drafts of one call stay together. */
export class AppendLanes {
  readonly #append: Append;
  readonly #limits: LaneLimits;
  readonly #lanes = new Map<RoomName, Lane<Call, readonly Appended[]>>();

  constructor(append: Append, limits: LaneLimits = DEFAULT_LIMITS) {
    this.#append = append;
    this.#limits = limits;
  }

  /** @throws HubError `unavailable` at the latest 0.3 s after `redisCommandMs` */
  async append(room: RoomName, drafts: readonly Draft[], retention: Retention): Promise<readonly Appended[]> {
    if (drafts.length === 0) return [];
    const lane = this.#lane(room);
    const call: Call = { drafts, retention, givenUp: false };
    const ms = this.#limits.redisCommandMs + WAIT_GRACE_MS;
    const late = (): Error => {
      call.givenUp = true;
      return unavailable(`Redis did not answer within ${ms} ms`);
    };
    try {
      return await within(lane.push(call, this.#sizeOf(drafts)), ms, late);
    } finally {
      if (lane.idle && this.#lanes.get(room) === lane) this.#lanes.delete(room);
    }
  }

  #lane(room: RoomName): Lane<Call, readonly Appended[]> {
    const known = this.#lanes.get(room);
    if (known !== undefined) return known;
    const lane = new Lane<Call, readonly Appended[]>({
      send: (calls) => this.#send(room, calls),
      // The sizes count messages as well.
      maxItems: Number.POSITIVE_INFINITY,
      maxBytes: this.#limits.batchBytes,
    });
    this.#lanes.set(room, lane);
    return lane;
  }

  /** Such that calls whose sizes add up to `batchBytes` have at most `batchMessages` messages. */
  #sizeOf(drafts: readonly Draft[]): number {
    let bytes = 0;
    for (const { head } of drafts) bytes += Buffer.byteLength(head);
    return Math.max(bytes, drafts.length * (this.#limits.batchBytes / this.#limits.batchMessages));
  }

  async #send(room: RoomName, calls: readonly Call[]): Promise<readonly (readonly Appended[])[]> {
    // Nobody waits for those any more, and nothing of them has been sent.
    const live = new Set(calls.filter(({ givenUp }) => !givenUp));
    const drafts: Draft[] = [];
    let retention: Retention | undefined;
    for (const call of live) {
      drafts.push(...call.drafts);
      retention = call.retention;
    }
    const all = retention === undefined ? [] : await this.#append(room, drafts, retention);
    let next = 0;
    return calls.map((call) => {
      if (!live.has(call)) return call.drafts.map(unsent);
      next += call.drafts.length;
      return all.slice(next - call.drafts.length, next);
    });
  }
}

function unsent(): Appended {
  return { ok: false, error: new HubError("unavailable", "given up before it was sent") };
}
