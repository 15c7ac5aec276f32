import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "./run-node.ts";

/**
 * Bundles a module of the Redis store with its scripts, for processes of their own.
 *
 * @returns the folder that has it as `store.mjs`, to be removed by the caller
 */
export function bundleStore(module: string): string {
  const cache = join(packageRoot, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  // Inside the repository, so that its packages are found from there.
  const folder = mkdtempSync(join(cache, "roomcast-store-"));
  const store = join(packageRoot, "server/stores/redis");
  const options = ["--bundle", "--platform=node", "--format=esm", "--packages=external"];
  const args = [join(store, module), ...options, `--outfile=${join(folder, "store.mjs")}`];
  execFileSync(join(packageRoot, "node_modules/.bin/esbuild"), args, { stdio: "pipe" });
  const scripts = readdirSync(store).filter((name) => name.endsWith(".lua"));
  for (const script of scripts) cpSync(join(store, script), join(folder, script));
  return folder;
}
