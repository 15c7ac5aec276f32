import type { RoomName } from "../../shared/room-name.ts";
import type { Broker, CheckResult } from "./broker.ts";

interface Question {
  readonly answer: Promise<CheckResult>;
  resolve(result: CheckResult): void;
  reject(reason: unknown): void;
}

/**
 * Asks the store about offsets of one room's log, one round at a time: whoever asks while a round is under way is in
 * the next one. So every answer is younger than its question, and however many ask, few rounds are needed.
 */
export class Questions {
  readonly #broker: Broker;
  readonly #room: RoomName;
  #waiting = new Map<number, Question>();
  #running = false;

  constructor(broker: Broker, room: RoomName) {
    this.#broker = broker;
    this.#room = room;
  }

  /** @throws HubError `unavailable` */
  check(offset: number): Promise<CheckResult> {
    const known = this.#waiting.get(offset);
    if (known !== undefined) return known.answer;
    const question = ask();
    this.#waiting.set(offset, question);
    // A microtask later, so that all who ask in one turn are in one round.
    if (!this.#running) {
      this.#running = true;
      queueMicrotask(() => void this.#run());
    }
    return question.answer;
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      const round = this.#waiting;
      this.#waiting = new Map();
      try {
        const queries = Array.from(round.keys(), (offset) => ({ room: this.#room, offset }));
        const results = await this.#broker.check(queries);
        [...round.values()].forEach((question, i) => question.resolve(results[i]!));
      } catch (error) {
        for (const question of round.values()) question.reject(error);
      }
    }
    this.#running = false;
  }
}

function ask(): Question {
  let settle!: Omit<Question, "answer">;
  const answer = new Promise<CheckResult>((resolve, reject) => (settle = { resolve, reject }));
  return { answer, ...settle };
}
