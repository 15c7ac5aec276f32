import { Command, InvalidArgumentError } from "commander";
import { connect, type Gap, type Meta, type Room } from "../../client/sdk/index.ts";
import { toHubError } from "../../shared/errors.ts";
import { parseRoomAlias } from "../../shared/room-name.ts";
import { jsonLine, lineOf, visible } from "./line.ts";

const DEFAULT_URL = "http://127.0.0.1:3000";

interface WatchOptions {
  readonly url?: string;
  readonly rewind?: number | string;
  readonly since?: string;
  readonly json?: true;
  readonly username?: string;
}

/** `roomcast watch ROOM`: prints a room live and goes on after every lost connection. */
export function watchCommand(): Command {
  return new Command("watch")
    .description("print a room live; after a lost connection go on where it stood")
    .argument("<room>", "such as chat:lobby; a bare name means stream:<name>", parseRoom)
    .option("--url <url>", `the hub's address (ROOMCAST_URL, default ${DEFAULT_URL})`)
    .option("--rewind <n|time>", "begin with the last n messages, or those of the last 5m", rewindOf)
    .option("--since <cursor>", "begin after this cursor, as watch and every reply give it")
    .option("--username <name>", "the name under which this client is seen")
    .option("--json", "one JSON object a line, with all that the hub tells of a message")
    .addHelpText(
      "after",
      "\nExamples:\n  roomcast watch stream:build-42 --rewind 50\n  roomcast watch chat:lobby --json\n",
    )
    .action(watch);
}

async function watch(name: string, options: WatchOptions): Promise<void> {
  const { rewind, since, json, username } = options;
  const url = options.url ?? (process.env["ROOMCAST_URL"] || DEFAULT_URL);
  const note = (text: string): void => console.error(`roomcast: ${visible(text)}`);
  if (!isHubUrl(url)) {
    note(`"${url}" is no address of a hub: it looks like ${DEFAULT_URL}, without a path`);
    process.exitCode = 1;
    return;
  }
  const client = connect(url, username === undefined ? {} : { username });
  const room = client.room(name, {
    ...(rewind === undefined ? {} : { rewind }),
    ...(since === undefined ? {} : { since }),
  });
  let told: string | undefined;
  const end = (code: number): void => {
    client.close();
    process.exitCode = code;
  };

  room.onAny((event, data, meta) => {
    // Between the lines, a sign of life every 5 s is in the way of people.
    const isBeat = meta.ephemeral === true && event === "source";
    if (json === true || !isBeat) print(json === true, event, data, meta);
  });
  room.on("room:gap", (gap) => note(gapText(gap)));
  room.on("room:closed", ({ code, reason }) => {
    note(`${code}: ${reason}`);
    end(1);
  });
  client.socket.on("connect", () => (told = undefined));
  client.socket.on("connect_error", (error) => {
    const text = `no connection to ${url}: ${causeOf(error)}${client.status === "closed" ? "" : ", trying again"}`;
    // It is tried again every few seconds, and mostly fails for the same reason.
    if (text !== told) note(text);
    told = text;
    if (client.status === "closed") end(1);
  });
  client.socket.on("disconnect", (reason) => {
    if (client.status === "reconnecting")
      note(`the connection was lost (${reason}), going on ${whereOf(room)} as soon as it is back`);
    else if (reason === "io server disconnect") end(1);
  });
  // A reader that closes the pipe (head, a pager) has seen enough.
  process.stdout.on("error", () => end(0));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => end(0));

  try {
    const { recovered, reason } = await room.join();
    note(
      `watching ${name} on ${url}${recovered === false ? `; what came before could not be kept: ${reason}` : ""}`,
    );
    room.on("room:joined", ({ replayed }) => note(`back, with ${replayed} messages that came meanwhile`));
  } catch (error) {
    const { code, message } = toHubError(error);
    if (process.exitCode === undefined) note(`${code}: ${message}`);
    end(process.exitCode === 0 ? 0 : 1);
  }
}

function print(json: boolean, event: string, data: unknown, meta: Meta): void {
  process.stdout.write(`${json ? jsonLine({ ...meta, event, data }) : lineOf(event, data, meta)}\n`);
}

function isHubUrl(url: string): boolean {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return false;
  // Socket.IO would take a path for a namespace.
  return new URL(url).pathname === "/";
}

/** What is behind the transport's "xhr poll error": the system's reason, or what the hub answered. */
function causeOf(error: Error & { readonly context?: unknown }): string {
  const { status, statusText, responseText } = (error.context ?? {}) as Readonly<Record<string, unknown>>;
  if (statusText instanceof Error) return statusText.message;
  if (typeof status !== "number" || status === 0) return error.message;
  const said = /"message":("(?:[^"\\]|\\.)*")/.exec(String(responseText))?.[1];
  return said === undefined ? `HTTP status ${status}` : (JSON.parse(said) as string);
}

function gapText({ from, to, reason }: Gap): string {
  return to < from
    ? `the log that was here before is gone (${reason})`
    : `messages ${from} to ${to} are gone (${reason})`;
}

function whereOf(room: Room): string {
  return room.cursor === undefined ? "from the start" : `after ${room.cursor}`;
}

function rewindOf(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

function parseRoom(text: string): string {
  try {
    return parseRoomAlias(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
