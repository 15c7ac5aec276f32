#!/usr/bin/env node
/** `npm start`: runs `roomcast serve` from this checkout and builds it first when that is needed. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Node 20.19 or newer is needed, and this is ${process.versions.node}. See https://nodejs.org`);
}
if (!existsSync(join(root, "node_modules/socket.io"))) fail("dependencies are missing. Run: npm ci");

if (!isBuilt()) {
  console.error("roomcast: building …");
  const { status } = spawnSync(process.execPath, [join(root, "scripts/build.mjs")], { stdio: "inherit" });
  if (status !== 0) fail("the build failed; the compiler says why above.");
}

// The same process, not a child: signals reach the hub, and its exit code is the command's.
const command = new URL("../dist/server/cli/main.js", import.meta.url);
process.argv = [process.execPath, fileURLToPath(command), "serve", ...process.argv.slice(2)];
await import(command.href);

function isBuilt() {
  const built = modifiedAt("dist/.complete");
  return ["shared", "client", "server", "chaos", "package-lock.json", "tsconfig.base.json"].every((path) => {
    // Folders count with their files: theirs is the time that changes when a file goes away.
    const inside = path.includes(".")
      ? []
      : readdirSync(join(root, path), { recursive: true, encoding: "utf8" });
    return [path, ...inside.map((name) => join(path, name))].every((name) => modifiedAt(name) <= built);
  });
}

/** @param {string} path */
function modifiedAt(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  console.error(`roomcast: ${message}`);
  process.exit(1);
}
