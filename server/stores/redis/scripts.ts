import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { HubError } from "../../../shared/errors.ts";
import type { Commands } from "./commands.ts";
import type { Argument } from "./client.ts";
import type { Connection } from "./connection.ts";
import { isReply } from "./store-error.ts";

interface Script {
  readonly text: string;
  readonly sha: string;
}

export type ScriptName = "append" | "broadcast" | "lease" | "nodes" | "presence" | "read";

const SCRIPTS: Readonly<Record<ScriptName, Script>> = {
  append: load("./append.lua"),
  broadcast: load("./broadcast.lua"),
  lease: load("./lease.lua"),
  nodes: load("./nodes.lua"),
  presence: load("./presence.lua"),
  read: load("./read.lua"),
};

function load(path: string): Script {
  const text = readFileSync(new URL(path, import.meta.url), "utf8");
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

/** Makes the scripts known to a Redis, so that their text need not be sent each time. Never rejects. */
export async function loadScripts(connection: Connection): Promise<void> {
  const loads = Object.values(SCRIPTS).map(({ text }) => connection.run(["SCRIPT", "LOAD", text]));
  await Promise.allSettled(loads);
}

/** Runs a script, within `ms` even if Redis has to be given its text again. */
export async function runScript(
  commands: Commands,
  name: ScriptName,
  keys: readonly string[],
  args: readonly Argument[],
  ms: number,
): Promise<unknown> {
  const { text, sha } = SCRIPTS[name];
  const rest = [String(keys.length), ...keys, ...args];
  const started = performance.now();
  try {
    return await commands.run(["EVALSHA", sha, ...rest], ms);
  } catch (error) {
    if (!(error instanceof HubError && isReply(error.cause, "NOSCRIPT"))) throw error;
    return await commands.run(["EVAL", text, ...rest], Math.max(1, ms - (performance.now() - started)));
  }
}
