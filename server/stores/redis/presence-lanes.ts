import { HubError } from "../../../shared/errors.ts";
import type { Limits } from "../../../shared/limits.ts";
import { Lane } from "../../../shared/lane.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import { newEpoch } from "../new-epoch.ts";
import type { Commands } from "./commands.ts";
import { within } from "./deadline.ts";
import { channelOf, presenceKeys } from "./keys.ts";
import { MEMBERS_WIRE_END, MEMBERS_WIRE_START } from "./members-wire.ts";
import { runScript } from "./scripts.ts";
import { unavailable } from "./store-error.ts";

/** A call that waited behind a slow batch still ends within the 2 s that a request may take. */
const WAIT_GRACE_MS = 300;
/** Operations of one script. */
const MOST_AT_ONCE = 250;
const BASE_BYTES = 100;

export type Operation =
  | {
      readonly kind: "touch";
      readonly user: string;
      /** Folded, or "" where names need not be unique. */
      readonly name: string;
      readonly most: number;
      /** The member as JSON text, up to `joinedAt`. */
      readonly head: string;
    }
  | { readonly kind: "linger" | "remove"; readonly user: string }
  /** Takes back some of what the node said. */
  | { readonly kind: "prune" }
  /** Keeps what the node said for another while. */
  | { readonly kind: "keep" };

export type Outcome = "done" | "taken" | "full" | "more";
const OUTCOMES: readonly Outcome[] = ["done", "taken", "full", "more"];

/** In which life of a room a node holds somebody there; undefined until Redis has said it. */
export interface Said {
  readonly life: string | undefined;
  /** When it was said last (`performance.now()`). */
  readonly at: number;
}

/** A node as Redis knows it: one that may have been forgotten speaks under a new id. */
export interface Speaker {
  readonly id: string;
  /** The rooms in which it may hold somebody; the one that was spoken of last is the last. */
  readonly said: Map<RoomName, Said>;
}

export function newSpeaker(id: string = newEpoch()): Speaker {
  return { id, said: new Map() };
}

export interface PresenceLanesOptions {
  readonly commands: Commands;
  readonly limits: Pick<Limits, "redisCommandMs" | "batchBytes">;
  /** What nobody says again is forgotten after so long. */
  readonly keepMs: number;
  /** Who speaks for this node at present. */
  readonly self: () => Speaker;
  /** A room in which this node holds somebody has begun another life: that is forgotten. */
  readonly onOtherLife: () => void;
}

interface Call {
  readonly operation: Operation;
  /** Of another than this node's present speaker. */
  readonly speaker: Speaker | undefined;
  givenUp: boolean;
}

/** Carries out what is said of the members of each room in its order, one script under way per room. */
export class PresenceLanes {
  readonly #options: PresenceLanesOptions;
  readonly #lanes = new Map<RoomName, Lane<Call, Outcome | HubError>>();

  constructor(options: PresenceLanesOptions) {
    this.#options = options;
  }

  /**
   * @param speaker who says it; this node as it is known by the time that it is said
   * @throws HubError `unavailable` at the latest 0.3 s after `redisCommandMs`
   */
  async run(room: RoomName, operation: Operation, speaker?: Speaker): Promise<Outcome> {
    const lane = this.#lane(room);
    const call: Call = { operation, speaker, givenUp: false };
    const ms = this.#options.limits.redisCommandMs + WAIT_GRACE_MS;
    const size = BASE_BYTES + (operation.kind === "touch" ? Buffer.byteLength(operation.head) : 0);
    const answer = lane.push(call, size).finally(() => {
      if (lane.idle && this.#lanes.get(room) === lane) this.#lanes.delete(room);
    });
    const outcome = await within(answer, ms, () => {
      call.givenUp = true;
      return unavailable(`Redis did not answer within ${ms} ms`);
    });
    if (outcome instanceof HubError) throw outcome;
    return outcome;
  }

  /** Takes back all that a speaker said of a room. */
  async prune(room: RoomName, speaker: Speaker): Promise<void> {
    while ((await this.run(room, { kind: "prune" }, speaker)) === "more");
  }

  #lane(room: RoomName): Lane<Call, Outcome | HubError> {
    const known = this.#lanes.get(room);
    if (known !== undefined) return known;
    const lane = new Lane<Call, Outcome | HubError>({
      send: (calls) => this.#send(room, calls),
      maxItems: MOST_AT_ONCE,
      maxBytes: this.#options.limits.batchBytes,
    });
    this.#lanes.set(room, lane);
    return lane;
  }

  async #send(room: RoomName, calls: readonly Call[]): Promise<readonly (Outcome | HubError)[]> {
    const results = new Map<Call, Outcome | HubError>();
    // Nobody waits for the others any more, and nothing of them has been sent.
    const live = calls.filter(({ givenUp }) => !givenUp);
    while (live.length > 0) {
      const speaker = live[0]!.speaker ?? this.#options.self();
      const end = live.findIndex((call) => (call.speaker ?? this.#options.self()) !== speaker);
      const some = live.splice(0, end < 0 ? live.length : end);
      const outcomes = await this.#say(
        room,
        speaker,
        some.map(({ operation }) => operation),
      );
      some.forEach((call, i) => results.set(call, outcomes[i]!));
    }
    return calls.map((call) => results.get(call) ?? unavailable("given up before it was sent"));
  }

  async #say(
    room: RoomName,
    speaker: Speaker,
    operations: readonly Operation[],
  ): Promise<readonly (Outcome | HubError)[]> {
    try {
      return await this.#script(room, speaker, operations);
    } catch (error) {
      return operations.map(() => error as HubError);
    }
  }

  async #script(
    room: RoomName,
    speaker: Speaker,
    operations: readonly Operation[],
  ): Promise<readonly Outcome[]> {
    const { id, said } = speaker;
    // Before it is sent: what may have been said has to be taken back some day.
    if (operations.some(({ kind }) => kind === "touch")) remember(said, room, said.get(room)?.life);
    const { commands, limits, keepMs, self, onOtherLife } = this.#options;
    const args = [
      id,
      newEpoch(),
      channelOf(room),
      String(keepMs),
      MEMBERS_WIRE_START,
      MEMBERS_WIRE_END,
      ...operations.flatMap(argumentsOf),
    ];
    const reply = await runScript(commands, "presence", presenceKeys(room, id), args, limits.redisCommandMs);
    const [life, held, ...outcomes] = reply as [string, number, ...number[]];
    const known = said.get(room);
    if (known?.life !== undefined && known.life !== life && speaker === self()) onOtherLife();
    if (held > 0) remember(said, room, life);
    else said.delete(room);
    return outcomes.map((outcome) => OUTCOMES[outcome]!);
  }
}

function remember(said: Map<RoomName, Said>, room: RoomName, life: string | undefined): void {
  said.delete(room);
  said.set(room, { life, at: performance.now() });
}

function argumentsOf(operation: Operation): readonly string[] {
  const { kind } = operation;
  // Whatever the script does, it also does this.
  if (kind === "keep") return [];
  if (kind === "prune") return [kind, "", "", "", ""];
  if (kind !== "touch") return [kind, keyOf(operation.user), "", "", ""];
  const { user, name, most, head } = operation;
  return [kind, keyOf(user), name === "" ? "" : keyOf(name), String(most), head];
}

/** As JSON, in which all texts differ: on their way to Redis lone surrogates would all become the same character. */
function keyOf(text: string): string {
  return JSON.stringify(text);
}
