import type { RoomName } from "../../shared/room-name.ts";
import type { Publisher } from "../publisher/index.ts";

/** The data of a `source` event, which is ephemeral: a program sends into the room, or has ended. */
export interface SourceData {
  readonly program: string;
  readonly state: "live" | "ended";
}

export interface BeatsOptions {
  /** Of their own: in the lane of the lines they could hold those up. */
  readonly publisher: Pick<Publisher, "emit" | "close">;
  readonly room: RoomName;
  readonly program: string;
  /** In ms; 5,000. */
  readonly everyMs?: number;
}

const EVERY_MS = 5_000;
/** What has not got through by then says nothing any more, in ms. */
const TIMEOUT_MS = 1_000;

/**
 * Says that a source is live, from the start on and every so often, and at its end that it has ended. Nobody depends on
 * it: what fails is not repeated, nothing waits for a hub that is away, and it keeps no process.
 */
export class Beats {
  readonly #options: BeatsOptions;
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> | undefined;

  constructor(options: BeatsOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#timer !== undefined || this.#ending.signal.aborted) return;
    const beat = (): void => {
      this.#underWay ??= this.#say("live", this.#ending.signal).finally(() => (this.#underWay = undefined));
    };
    this.#timer = setInterval(beat, this.#options.everyMs ?? EVERY_MS).unref();
    beat();
  }

  /** Says no more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#ending.abort();
  }

  /** Says that the source has ended, if it ever began; resolves after a second at the latest. */
  async end(): Promise<void> {
    const hasBegun = this.#timer !== undefined && !this.#ending.signal.aborted;
    this.stop();
    await this.#underWay;
    if (hasBegun) await this.#say("ended");
    await this.#options.publisher.close();
  }

  async #say(state: SourceData["state"], signal?: AbortSignal): Promise<void> {
    const { publisher, room, program } = this.#options;
    const data: SourceData = { program, state };
    const options = {
      ephemeral: true,
      timeoutMs: TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    } as const;
    await publisher.emit(room, "source", data, options).catch(() => undefined);
  }
}
