import { resolve } from "node:path";
import { Command, Option as Flag } from "commander";
import { HubError } from "../../shared/errors.ts";
import { ConfigError, loadConfig, OPTIONS, type Config } from "../config.ts";
import { DataFolderError, type RoomcastHub, runHub } from "../index.ts";

/** What sysexits.h calls a configuration error. */
const EX_CONFIG = 78;
/** npm passes a signal on that the terminal has sent to both: what comes within so long is one, in ms. */
const ONE_SIGNAL_MS = 300;
/** How often a hub looks for the npm that started it, in ms. */
const PARENT_MS = 500;
const NPM_COMMANDS: ReadonlySet<string> = new Set(["start", "npx"]);

/** `roomcast serve`: runs a hub until it is told to stop. */
export function serveCommand(): Command {
  const command = new Command("serve").description("run a hub: rooms over Socket.IO and HTTP, and its pages");
  for (const { flag, env, doc, default: value } of OPTIONS) {
    if (flag === undefined) continue;
    const shown = typeof value === "string" || typeof value === "number" ? `, default ${value}` : "";
    command.addOption(new Flag(flag, `${doc} (${env}${shown})`));
  }
  return command
    .option(
      "--config <file>",
      "JSON file with the same options by name, and with rooms and limits (ROOMCAST_CONFIG)",
    )
    .addHelpText("after", EXAMPLES)
    .action(serve);
}

const EXAMPLES = `
A flag beats the environment, which beats the file. Examples:
  roomcast serve                                on http://127.0.0.1:3000, for this machine only, the log in ./data
  roomcast serve --store memory --port 0        a log that ends with the process, on a free port
  REDIS_URL=redis://localhost:6379 roomcast serve --port 3001   one node of many
`;

async function serve({ config: file, ...flags }: Record<string, unknown>): Promise<void> {
  try {
    // An empty variable is as none.
    const path = file ?? (process.env["ROOMCAST_CONFIG"] || undefined);
    await run(loadConfig(flags, process.env, path as string | undefined));
  } catch (error) {
    const expected =
      error instanceof ConfigError ||
      error instanceof HubError ||
      error instanceof DataFolderError ||
      isSystemError(error);
    console.error(`roomcast: ${expected ? messageOf(error) : (error as Error).stack}`);
    process.exitCode = mayPass(error) ? 1 : EX_CONFIG;
  }
}

/** What a restart alone may mend, such as a Redis that is away, is no fault of the configuration. */
function mayPass(error: unknown): boolean {
  if (error instanceof HubError) return error.retryable;
  if (error instanceof DataFolderError) return error.problem === "in_use" || error.problem === "unreachable";
  return !(error instanceof ConfigError);
}

async function run(config: Config): Promise<void> {
  const hub = await runHub(config);
  let url: string;
  try {
    url = await hub.listen();
  } catch (error) {
    await hub.close();
    throw error;
  }
  let stoppingSince: number | undefined;
  const stop = (): void => {
    if (stoppingSince !== undefined) return;
    stoppingSince = performance.now();
    console.log("roomcast stops: clients are told to come back elsewhere");
    hub.close().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(`roomcast: ${messageOf(error)}`);
        process.exit(1);
      },
    );
  };
  const onSignal = (): void => {
    // Whoever asks twice does not want to wait.
    if (stoppingSince !== undefined && performance.now() - stoppingSince > ONE_SIGNAL_MS) process.exit(1);
    stop();
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  if (NPM_COMMANDS.has(process.env["npm_lifecycle_event"] ?? "")) onParentsEnd(stop);

  // Last: whoever has read it may send a signal.
  console.log(`roomcast listens on ${url}`);
  console.log(whereTheLogIs(config, hub));
  if (config.open) console.log("WARNING: it is open: everyone who reaches this address may read and write");
}

function whereTheLogIs({ redisUrl, data, durability }: Config, hub: RoomcastHub): string {
  const size = hub.size();
  if (redisUrl !== undefined) return "the log is in Redis";
  if (size === undefined) return "the log is in memory and ends with this process";
  const rooms = size.rooms === 1 ? "1 room" : `${size.rooms} rooms`;
  const held = `${rooms}, ${(size.bytes / 2 ** 20).toFixed(1)} MiB`;
  const when = durability === "synced" ? "synced to disk" : "written, before they are synced to disk";
  return `the log is in ${resolve(data)} (${held}); messages are acknowledged when they are ${when}`;
}

/** The shell that npm starts passes no signal on, so a hub would stay behind when npm alone is told to end. */
function onParentsEnd(stop: () => void): void {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && stop(), PARENT_MS).unref();
}

/** Of listening, or of looking up the address for it. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

function messageOf(error: unknown): string {
  const { code, message } = error as Error & { code?: unknown };
  return code === "EADDRINUSE" ? `${message}: take another --port, or 0 for a free one` : message;
}
