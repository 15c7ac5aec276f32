#!/usr/bin/env node
/**
 * `npm run setup`: gets the programs that the tests need and npm does not bring. The hub itself runs without them.
 * Installs by apt as root on Debian and Ubuntu; anywhere else it says what to install and exits 1.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import {
  chromiumMissing,
  findChromium,
  findPython,
  findPythonClient,
  findRedisServer,
  pythonClientMissing,
  pythonMissing,
  redisServerMissing,
} from "../test/support/programs.mjs";

const osRelease = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
// Ubuntu knows it by this name only, as a snap; where snaps do not run, CHROMIUM_PATH names another browser.
const chromiumPackage = /^ID=ubuntu$/m.test(osRelease) ? "chromium-browser" : "chromium";

const programs = [
  { name: "redis-server", find: findRedisServer, aptPackages: ["redis-server"], missing: redisServerMissing },
  { name: "chromium", find: findChromium, aptPackages: [chromiumPackage], missing: chromiumMissing },
  { name: "python3", find: findPython, aptPackages: ["python3"], missing: pythonMissing },
  {
    name: "python-socketio",
    find: findPythonClient,
    aptPackages: ["python3-socketio", "python3-requests", "python3-websocket"],
    missing: pythonClientMissing,
  },
];

const wanted = programs.filter(({ find }) => find() === undefined);
if (wanted.length > 0 && canInstall()) install();

const missing = programs.filter(({ find }) => find() === undefined);
for (const { name, find } of programs) console.log(`${name}: ${find() ?? "missing"}`);
if (missing.length > 0) {
  console.error(`\n${missing.map((program) => program.missing).join("\n\n")}`);
  process.exit(1);
}
console.log(wanted.length === 0 ? "setup: nothing to do" : "setup: done");

function canInstall() {
  const isRoot = process.getuid?.() === 0;
  return isRoot && existsSync("/etc/debian_version") && existsSync("/usr/bin/apt-get");
}

function install() {
  console.log("setup: reading apt's package lists …");
  apt("update", "-q");
  // One program at a time: a package that this release lacks must not keep the others away.
  for (const { name, aptPackages } of wanted) {
    console.log(`setup: installing ${name} (apt: ${aptPackages.join(", ")}) …`);
    apt("install", "-y", "-q", "--no-install-recommends", ...aptPackages);
  }
}

/** @param {string[]} args */
function apt(...args) {
  // A question on the terminal would wait for ever in CI, and a service started by the package would keep the port.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const { status } = spawnSync("apt-get", args, { stdio: "inherit", env });
  if (status !== 0) console.error(`setup: apt-get ${args.join(" ")} failed`);
}
