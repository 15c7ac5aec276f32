import { Command, Option as Flag } from "commander";
import { HubError } from "../../shared/errors.ts";
import { ConfigError, loadConfig, OPTIONS, type Config } from "../config.ts";
import { runHub } from "../index.ts";

/** What sysexits.h calls a configuration error. */
const EX_CONFIG = 78;

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
  roomcast serve                                          on http://127.0.0.1:3000, for this machine only
  REDIS_URL=redis://localhost:6379 roomcast serve --port 3001     one node of many
`;

async function serve({ config: file, ...flags }: Record<string, unknown>): Promise<void> {
  try {
    const config = loadConfig(
      flags,
      process.env,
      (file ?? process.env["ROOMCAST_CONFIG"]) as string | undefined,
    );
    await run(config);
  } catch (error) {
    const expected = error instanceof ConfigError || error instanceof HubError || isListenError(error);
    console.error(`roomcast: ${expected ? messageOf(error) : (error as Error).stack}`);
    process.exitCode = error instanceof ConfigError || error instanceof HubError ? EX_CONFIG : 1;
  }
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
  console.log(`roomcast listens on ${url}`);
  console.log(
    config.redisUrl === undefined ? "the log is in memory and ends with this process" : "the log is in Redis",
  );
  if (config.open) console.log("WARNING: it is open: everyone who reaches this address may read and write");

  let stopping = false;
  const stop = (): void => {
    // Whoever asks twice does not want to wait.
    if (stopping) process.exit(1);
    stopping = true;
    console.log("roomcast stops: clients are told to come back elsewhere");
    hub.close().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(`roomcast: ${messageOf(error)}`);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop).on("SIGINT", stop);
}

function isListenError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && error.syscall === "listen";
}

function messageOf(error: unknown): string {
  const { code, message } = error as Error & { code?: unknown };
  return code === "EADDRINUSE" ? `${message}: take another --port, or 0 for a free one` : message;
}
