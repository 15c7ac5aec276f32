#!/usr/bin/env node
/**
 * Compiles shared, client, server and chaos into dist/, puts the files beside them that the compiler leaves out, and lets Vite
 * bundle the web app.
 * `--clean` starts from nothing. Tests and tools are no part of it: `tsc -b` checks those.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const folders = ["shared", "client", "server", "chaos", "bench"];
const assets = [{ folder: "server", endings: [".lua"] }];
const webApp = join(dist, "client/web");

if (process.argv.includes("--clean")) rmSync(dist, { recursive: true, force: true });
// Says "complete" to start.mjs, so it must not survive a build that fails half-way.
rmSync(join(dist, ".complete"), { force: true });

const compiler = join(root, "node_modules/typescript/bin/tsc");
const { status } = spawnSync(process.execPath, [compiler, "-b", "server/cli"], {
  cwd: root,
  stdio: "inherit",
});
if (status !== 0) process.exit(status ?? 1);

for (const { folder, endings } of assets) {
  for (const file of filesIn(join(root, folder))) {
    if (!endings.some((ending) => file.endsWith(ending))) continue;
    const target = join(dist, relative(root, file));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(file, target);
  }
}

// The compiler never takes back what it wrote for a source that has since been moved or deleted.
for (const file of folders.flatMap((folder) => filesIn(join(dist, folder)))) {
  const source = join(root, relative(dist, file));
  const exists = existsSync(source) || existsSync(source.replace(/(\.d\.ts|\.js)$/, ".ts"));
  if (!exists && !file.endsWith(".tsbuildinfo") && !file.startsWith(webApp)) rmSync(file);
}

// Whoever builds, tests included: else the bundle would be one for development, with paths of this machine in it.
process.env["NODE_ENV"] = "production";
const { build } = await import("vite");
await build({ configFile: join(root, "vite.config.ts"), logLevel: "warn" });

// For pages without a build of their own: the hub serves it, and it needs nothing else.
buildSync({
  entryPoints: [join(dist, "client/sdk/index.js")],
  outfile: join(dist, "client/web/roomcast.js"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  logLevel: "warning",
});

const command = join(dist, "server/cli/main.js");
if (existsSync(command)) chmodSync(command, 0o755);
writeFileSync(join(dist, ".complete"), "");

/**
 * Every file under a folder, or none when there is no such folder.
 * @param {string} folder
 * @returns {string[]}
 */
function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
