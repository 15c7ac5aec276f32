import { text } from "node:stream/consumers";
import { Command, InvalidArgumentError, type CommanderError } from "commander";
import { HubError, type ErrorCode } from "../../shared/errors.ts";
import { parseRoomAlias } from "../../shared/room-name.ts";
import { createPublisher } from "../publisher/index.ts";

interface PublishFlags {
  readonly id?: string;
  readonly ephemeral?: true;
  readonly timeout?: number;
  readonly url?: string;
  readonly key?: string;
  readonly redisUrl?: string;
  readonly text?: true;
}

const WRONG_USAGE = 2;

/** What helps, where the error itself does not say so. */
const HINTS: Partial<Readonly<Record<ErrorCode, string>>> = {
  unauthorized: "give the hub's key with --key or ROOMCAST_KEY",
  forbidden: "this key has no right to publish there",
  id_reused: "take another --id, or none",
  unavailable: "is it running there? --url or ROOMCAST_URL, --redis-url or REDIS_URL, say where",
  store_full: "give Redis more memory, or the rooms less to keep",
};

/** `roomcast publish ROOM EVENT [JSON]`: publishes one message and prints where it went. */
export function publishCommand(): Command {
  return new Command("publish")
    .description("publish one message and print its position as JSON")
    .argument("<room>", "such as chat:lobby; a bare name means stream:<name>")
    .argument("<event>", "such as message or log")
    .argument("[json]", "the data; - or none reads it from standard input")
    .option("--text", "the data is plain text, not JSON")
    .option("--id <id>", "sent again within 10 minutes, the same id is the same message")
    .option("--ephemeral", "deliver it live and keep nothing")
    .option("--timeout <ms>", "how long to try", parseTimeout)
    .option("--url <url>", "the hub's address (ROOMCAST_URL, default http://127.0.0.1:3000)")
    .option("--key <key>", "the hub's key (ROOMCAST_KEY)")
    .option("--redis-url <url>", "straight to Redis or a Redis Cluster, without a hub (REDIS_URL)")
    .addHelpText("after", EXAMPLES)
    .exitOverride(exit)
    .action(publish);
}

const EXAMPLES = `
Examples:
  roomcast publish chat:lobby message '{"text":"hello"}'
  make 2>&1 | tail -1 | roomcast publish stream:build-42 note --text
`;

async function publish(
  room: string,
  event: string,
  json: string | undefined,
  flags: PublishFlags,
): Promise<void> {
  const { id, ephemeral, timeout, text: isText, ...target } = flags;
  try {
    const name = parseRoomAlias(room);
    const data = await readData(json, isText === true);
    const timeoutMs = timeout === undefined ? {} : { timeoutMs: timeout };
    const publisher = createPublisher({ ...target, ...timeoutMs, onNotice: note });
    try {
      const ids = id === undefined ? {} : { id };
      const reply = await publisher.emit(name, event, data, { ...ids, ephemeral: ephemeral === true });
      process.stdout.write(`${JSON.stringify(reply)}\n`);
    } finally {
      await publisher.close();
    }
  } catch (error) {
    process.exitCode = error instanceof UsageError ? WRONG_USAGE : 1;
    note(describe(error));
  }
}

class UsageError extends Error {
  override readonly name = "UsageError";
}

async function readData(argument: string | undefined, isText: boolean): Promise<unknown> {
  if (argument === undefined && process.stdin.isTTY) {
    throw new UsageError("the data is missing: give it as the third argument, or - to type it");
  }
  const isRead = argument === undefined || argument === "-";
  const input = isRead ? await text(process.stdin) : argument;
  if (isText) return isRead ? input.replace(/\r?\n$/, "") : input;
  try {
    return JSON.parse(input);
  } catch (error) {
    const from = isRead ? "standard input" : "the argument";
    const advice = `quote it for the shell, as '{"text":"hello"}', or give --text`;
    throw new UsageError(`the data from ${from} is no JSON (${(error as Error).message}): ${advice}`);
  }
}

function parseTimeout(value: string): number {
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("It is a whole number of milliseconds, such as 5000.");
}

function describe(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  if (!(error instanceof HubError)) return (error as Error).stack ?? String(error);
  const hint = HINTS[error.code];
  return `${error.code}: ${error.message}${hint === undefined ? "" : `; ${hint}`}`;
}

/** One line, whatever is in it. */
function note(line: string): void {
  process.stderr.write(`roomcast: ${line.replaceAll(/\s*\n\s*/g, " ")}\n`);
}

function exit({ exitCode }: CommanderError): never {
  process.exit(exitCode === 0 ? 0 : WRONG_USAGE);
}
