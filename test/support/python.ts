import { join } from "node:path";
import type { Command, Commands } from "./commands.ts";
import { requirePython } from "./programs.mjs";
import { packageRoot } from "./run-node.ts";

/** Where `import roomcast` finds the example. */
const EXAMPLE = join(packageRoot, "examples/python");

/** Starts a program in Python that can import the example, for the hub at this address. */
export function startPython(commands: Commands, url: string, code: string): Command {
  const env = { ROOMCAST_URL: url, PYTHONPATH: EXAMPLE, PYTHONDONTWRITEBYTECODE: "1" };
  return commands.start(["-c", code], { env, program: [requirePython()] });
}
