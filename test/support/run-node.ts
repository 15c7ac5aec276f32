import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export interface Run {
  readonly out: string;
  readonly err: string;
  /** Null if it had to be killed. */
  readonly code: number | null;
}

/** Variables of the environment; undefined takes one away. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The package's folder, in which programs find `roomcast/…`. */
export const packageRoot: string = fileURLToPath(new URL("../..", import.meta.url));

/**
 * This process's environment, less what points it to a hub or a Redis, with other variables. A hub keeps its log in
 * memory unless they say otherwise, so that none is left behind.
 */
export function environment(variables: Variables): NodeJS.ProcessEnv {
  const none = { REDIS_URL: undefined, ROOMCAST_URL: undefined, ROOMCAST_KEY: undefined };
  return { ...process.env, ...none, ROOMCAST_STORE: "memory", ...variables };
}

/** Runs a Node program to its end, or kills it after `ms`. */
export async function runNode(
  args: readonly string[],
  { env = {}, input = "", ms = 20_000 }: { env?: Variables; input?: string; ms?: number } = {},
): Promise<Run> {
  const child = spawn(process.execPath, args, { cwd: packageRoot, env: environment(env) });
  const late = setTimeout(() => child.kill("SIGKILL"), ms);
  child.stdin.on("error", () => {}).end(input);
  const ended = once(child, "exit") as Promise<[number | null]>;
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  clearTimeout(late);
  return { out, err, code };
}
