import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "@jest/globals";
import { Sink } from "../../server/sources/sink.ts";
import { TailState } from "../../server/sources/tail-state.ts";
import { tail } from "../../server/sources/tail.ts";
import type { RoomName } from "../../shared/room-name.ts";
import { ScriptedTransport, scriptedPublisher } from "./scripted-transport.ts";
import { until } from "./wait.ts";

const ROOM = "stream:tail" as RoomName;

/** Files that are followed, and what came of them. */
export interface Tailing {
  readonly transport: ScriptedTransport;
  readonly notes: readonly string[];
  readonly messages: () => string[];
  readonly sources: () => string[];
  readonly ids: () => string[];
  end(): Promise<void>;
}

export interface TailSettings {
  readonly fromStart?: boolean;
  /** The state's file. */
  readonly state?: string;
  readonly patterns?: readonly string[];
  readonly transport?: ScriptedTransport;
}

/** Follows logs in a folder of one test's own, over a log in memory, and ends it all. */
export class Tailings {
  readonly folder: string = mkdtempSync(join(tmpdir(), "roomcast-tail-"));
  readonly log: string = join(this.folder, "a.log");
  readonly #tailings: Tailing[] = [];

  /** Follows the log until the end of the test. */
  async follow(settings: TailSettings = {}): Promise<Tailing> {
    const { state, patterns = [this.log], fromStart = false } = settings;
    const transport = settings.transport ?? new ScriptedTransport();
    const sink = new Sink({ publisher: scriptedPublisher(transport), room: ROOM });
    const notes: string[] = [];
    const ending = new AbortController();
    const loaded = state === undefined ? undefined : await TailState.load(state);
    const ended = tail(patterns, {
      sink,
      fromStart,
      signal: ending.signal,
      onNote: (line) => notes.push(line),
      ...(loaded === undefined ? {} : { state: loaded }),
    });
    // A test that expects it to fail looks at its end.
    ended.catch(() => {});
    const all = (): { message: string; source: string }[] =>
      transport.stored(ROOM).map((data) => JSON.parse(data) as { message: string; source: string });
    const tailing: Tailing = {
      transport,
      notes,
      messages: () => all().map(({ message }) => message),
      sources: () => all().map(({ source }) => source),
      ids: () => transport.ids(ROOM),
      async end() {
        ending.abort();
        await ended;
        await sink.flush();
        await loaded?.save();
      },
    };
    this.#tailings.push(tailing);
    return tailing;
  }

  /** Follows the log from its end on, which it has reached. */
  async followFromEnd(settings: TailSettings = {}): Promise<Tailing> {
    const tailing = await this.follow(settings);
    await until(() => {
      appendFileSync(this.log, "begin\n");
      return tailing.messages().length > 0;
    });
    return tailing;
  }

  /** Appends the lines of a range. */
  write(from: number, to: number, file: string = this.log): void {
    appendFileSync(file, range(from, to).concat("").join("\n"));
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#tailings.map((tailing) => tailing.end()));
    rmSync(this.folder, { recursive: true });
  }
}

/** Numbered lines. */
export function range(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i} é`);
}

/** Waits for lines, and fails unless they are all that came. */
export async function got(tailing: Tailing, lines: readonly string[]): Promise<void> {
  const seen = (): string[] => tailing.messages().filter((message) => message !== "begin");
  await until(() => seen().length >= lines.length, 25_000).catch(() => {});
  expect(seen()).toEqual(lines);
}
