import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { HubError } from "../../shared/errors.ts";
import { parseRoomAlias, type RoomName } from "../../shared/room-name.ts";
import { createPublisher } from "../publisher/index.ts";
import { Beats } from "../sources/beats.ts";
import { Sink } from "../sources/sink.ts";
import { visible } from "./line.ts";

export interface SourceFlags {
  readonly room?: string;
  readonly program?: string;
  readonly url?: string;
  readonly key?: string;
  readonly redisUrl?: string;
}

/** A room that lines go to. */
export interface OpenSource {
  readonly sink: Sink;
  /** Says on standard error where the lines can be seen, and in the room that the source is live. */
  announce(): void;
  /** Aborts when nothing will ever arrive: the hub has refused it, which has been told. */
  readonly refused: AbortSignal;
  /** Sends what is left, until a signal or long after the hub went away; false if some of it is lost. */
  close(): Promise<boolean>;
}

const DEFAULT_URL = "http://127.0.0.1:3000";
/** How long a finished program's last lines wait for a hub that is away, in ms. */
const PATIENCE_MS = 60_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The flags that all sources have. */
export function sourceCommand(command: Command): Command {
  return command
    .option("--room <room>", "where to; a bare name means stream:<name>; a new stream if there is none")
    .option("--program <name>", "what the entries have as their program")
    .option("--url <url>", `the hub's address (ROOMCAST_URL, default ${DEFAULT_URL})`)
    .option("--key <key>", "the hub's key (ROOMCAST_KEY)")
    .option("--redis-url <url>", "straight to Redis or a Redis Cluster, without a hub (REDIS_URL)");
}

/**
 * Opens the way to the room.
 *
 * @throws HubError `bad_room`, `bad_request`
 */
export function openSource({ room, url, key, redisUrl }: SourceFlags, program: string): OpenSource {
  const name = room === undefined ? newRoom(program) : parseRoomAlias(room);
  const target = { url, key, redisUrl };
  const given = Object.entries(target).filter(([, value]) => value !== undefined);
  const publisher = createPublisher({ ...Object.fromEntries(given), onNotice: note });
  const beats = new Beats({
    publisher: createPublisher({ ...Object.fromEntries(given), onNotice: () => {} }),
    room: name,
    program,
  });
  const refused = new AbortController();
  const sink = new Sink({
    publisher,
    room: name,
    onAway: (error) => note(`the hub is away, lines wait here for it: ${error.message}`),
    onBack: () => note("the hub is back, lines go on"),
    onRefused: (error) => {
      note(`${error.code}: ${error.message}`);
      beats.stop();
      refused.abort();
    },
  });
  return {
    sink,
    announce() {
      note(`${name}${whereOf(name, url)}`);
      beats.start();
    },
    refused: refused.signal,
    async close() {
      const giveUp = (): void => sink.giveUp();
      SIGNALS.forEach((signal) => process.once(signal, giveUp));
      const left = await sink.flush(PATIENCE_MS);
      sink.giveUp();
      // Lines that are lost are no clean end, and then the hub is away anyway.
      if (left > 0) beats.stop();
      await beats.end();
      await publisher.close();
      SIGNALS.forEach((signal) => process.off(signal, giveUp));
      if (left > 0 && !refused.signal.aborted) note(`${left} entries are lost: the hub did not take them`);
      return left === 0 && !refused.signal.aborted;
    },
  };
}

/** One line, whatever is in it. */
export function note(line: string): void {
  process.stderr.write(`roomcast: ${visible(line.replaceAll(/\s*\n\s*/g, " "))}\n`);
}

/** Tells an error that ends a command, and gives the exit code. */
export function fail(error: unknown): void {
  process.exitCode = 1;
  note(
    error instanceof HubError ? `${error.code}: ${error.message}` : String((error as Error).stack ?? error),
  );
}

function newRoom(program: string): RoomName {
  const name = program.replaceAll(/[^\p{L}\p{Nd}\p{M}._-]/gu, "-").slice(0, 40);
  return parseRoomAlias(`${name}-${randomBytes(5).toString("hex")}`);
}

/** The room's page, if it has one and the hub's address is known. */
function whereOf(room: RoomName, url: string | undefined): string {
  const given = url ?? (process.env["ROOMCAST_URL"] || undefined);
  const base = given ?? (process.env["REDIS_URL"] ? undefined : DEFAULT_URL);
  if (base === undefined || !room.startsWith("stream:")) return "";
  const id = encodeURIComponent(room.slice("stream:".length));
  return `, to be seen at ${base.replace(/\/+$/, "")}/stream/${id}`;
}
