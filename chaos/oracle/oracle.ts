import type { Position } from "../../shared/position.ts";
import { Findings } from "./findings.ts";
import { Ledger } from "./ledger.ts";
import { Losses } from "./losses.ts";
import type { Observation, ReadBack } from "./observations.ts";
import { RoomLogs } from "./room-logs.ts";
import { Subscriptions, type Bounds } from "./subscriptions.ts";

/** The part of resumes outside losses that may be told of a gap that is none. */
const MAX_FALSE_ALARMS = 0.01;

/** A client that means to be in a room. */
export interface Membership {
  readonly client: string;
  readonly room: string;
}

/** What a run came to. */
export interface Figures {
  readonly deliveries: number;
  readonly live: number;
  readonly replayed: number;
  readonly joins: number;
  readonly resumes: number;
  readonly recovered: number;
  readonly afterLoss: number;
  readonly trimmed: number;
  readonly falseAlarms: number;
  readonly gaps: number;
  readonly invoked: number;
  readonly acknowledged: number;
  readonly duplicates: number;
  readonly unknown: number;
  readonly refused: number;
  readonly acknowledgedLost: number;
}

/**
 * Judges a history, observation by observation, after the checks of Jepsen for Kafka: what publishers sent and were told,
 * what each subscriber got, in its order, and what was done to the hub. Observations of different processes may come in
 * any order. What it keeps grows with the messages, not with their deliveries.
 */
export class Oracle {
  readonly findings: Findings = new Findings();
  readonly #losses = new Losses();
  readonly #logs = new RoomLogs(this.findings, this.#losses);
  readonly #ledger = new Ledger(this.findings, this.#losses, this.#logs);
  readonly #subscriptions: Subscriptions;
  readonly #heads = new Map<string, { readonly node: string; readonly position: Position }>();

  /** @param bounds rooms that keep less than what is sent in a run */
  constructor(bounds: Bounds = new Map()) {
    this.#subscriptions = new Subscriptions(this.findings, this.#losses, this.#logs, bounds);
  }

  observe(event: Observation): void {
    switch (event.kind) {
      case "invoke":
      case "ok":
      case "fail":
      case "unknown":
        return this.#ledger.observe(event);
      case "fault":
        return event.losesData ? this.#losses.begin(event.at) : undefined;
      case "returning":
        return event.losesData ? this.#losses.return(event.at) : undefined;
      case "healed":
        return event.losesData ? this.#losses.end(event.at) : undefined;
      case "message": {
        const { room, epoch, offset, id, hash, at, client: who } = event;
        this.#subscriptions.observe(event);
        this.#logs.see({ room, epoch, offset, id, hash, at, who });
        return this.#ledger.see(id, { room, hash, at, who });
      }
      default:
        return this.#subscriptions.observe(event);
    }
  }

  /** Takes one room's log as one node gives it, after the last publisher has ended. */
  readBack(log: ReadBack, at: number): void {
    const { room, node, position } = log;
    this.#logs.readBack(log, at);
    this.#ledger.readBack(log, at);
    for (const { id, hash } of log.messages)
      this.#ledger.see(id, { room, hash, at, who: `the history of ${node}` });
    const other = this.#heads.get(room);
    if (other === undefined) this.#heads.set(room, { node, position });
    else if (other.position.epoch !== position.epoch || other.position.offset !== position.offset) {
      const text = `the head is ${textOf(other.position)} for ${other.node}, ${textOf(position)} for ${node}`;
      this.findings.add("I12", room, at, text);
    }
  }

  /** Which of the memberships that should be live at these heads are not, a line each. */
  behind(
    heads: ReadonlyMap<string, Position>,
    memberships: Iterable<Membership>,
  ): readonly { readonly room: string; readonly text: string }[] {
    const late: { room: string; text: string }[] = [];
    for (const { client, room } of memberships) {
      const head = heads.get(room);
      const { phase, last } = this.#subscriptions.standing(client, room);
      if (head === undefined) continue;
      if (phase === "live" && last?.epoch === head.epoch && last.offset === head.offset) continue;
      const at = last === undefined ? "nowhere" : `at ${textOf(last)}`;
      late.push({ room, text: `${client} is ${phase} ${at}, the head is ${textOf(head)}` });
    }
    return late;
  }

  /** Those who are still behind when they must no longer be. */
  tooLate(heads: ReadonlyMap<string, Position>, memberships: Iterable<Membership>, at: number): void {
    for (const { room, text } of this.behind(heads, memberships)) this.findings.add("I9", room, at, text);
  }

  /** Judges what can be judged at the end only. */
  finish(at: number): void {
    this.#ledger.finish(at);
    this.#logs.finish();
    this.#subscriptions.finish((room, epoch, offset) => this.#ledger.ackAt(room, epoch, offset));
    const { falseAlarms, resumes, afterLoss } = this.figures;
    if (falseAlarms > MAX_FALSE_ALARMS * Math.max(1, resumes - afterLoss)) {
      const text = `${falseAlarms} false alarms in ${resumes - afterLoss} resumes: ${this.alarms.slice(0, 3).join("; ")}`;
      this.findings.add("I8", "", at, text);
    }
  }

  get alarms(): readonly string[] {
    return this.#subscriptions.alarms;
  }

  get figures(): Figures {
    const { live, replayed } = this.#subscriptions.figures;
    return { deliveries: live + replayed, ...this.#subscriptions.figures, ...this.#ledger.figures };
  }
}

function textOf({ epoch, offset, id }: Position): string {
  return `${epoch}.${offset}.${id}`;
}
