/** Finds the programs that tests need and npm does not bring: a real Redis, a real browser, Python and its Socket.IO. */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const oldestRedis = 7;
/** Of version 3. */
const oldestPython = 8;

/** What a test throws when there is no Redis to run. */
export const redisServerMissing = [
  `redis-server not found. The tests run a real Redis, version ${oldestRedis} or newer:`,
  "  npm run setup                      (Debian and Ubuntu, as root)",
  "  apt-get install redis-server | brew install redis | dnf install redis",
].join("\n");

/** What a test throws when there is no browser to drive. */
export const chromiumMissing = [
  "Chromium not found. The tests drive a real browser:",
  "  npm run setup                      (Debian and Ubuntu, as root)",
  "  apt-get install chromium | brew install --cask chromium | dnf install chromium",
  "  or set CHROMIUM_PATH to the program of an installed Chromium or Chrome",
].join("\n");

/** What a test throws when there is no Python to run. */
export const pythonMissing = [
  `python3 not found. The tests run the example in Python, version 3.${oldestPython} or newer:`,
  "  npm run setup                      (Debian and Ubuntu, as root)",
  "  apt-get install python3 | brew install python3 | dnf install python3",
].join("\n");

/** What a test throws when there is no Python that has a Socket.IO client. */
export const pythonClientMissing = [
  "No python3 on PATH or in /usr/bin has a Socket.IO client. The tests run python-socketio, over both transports:",
  "  npm run setup                      (Debian and Ubuntu, as root)",
  "  apt-get install python3-socketio python3-requests python3-websocket",
  "  python3 -m pip install 'python-socketio[client]'",
].join("\n");

/**
 * The path of a redis-server of version 7 or newer on PATH, or undefined.
 * @returns {string | undefined}
 */
export function findRedisServer() {
  const path = onPath("redis-server");
  const version = path === undefined ? undefined : /v=(\d+)\./.exec(output(path, "--version"))?.[1];
  return Number(version ?? 0) >= oldestRedis ? path : undefined;
}

/**
 * The path of a Chromium or Chrome: CHROMIUM_PATH when that is set, else one on PATH, else undefined.
 * @returns {string | undefined}
 */
export function findChromium() {
  const chosen = process.env["CHROMIUM_PATH"];
  if (chosen) return isProgram(chosen) ? chosen : undefined;
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const inApplications = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  ];
  return names.map(onPath).find((path) => path !== undefined) ?? inApplications.find(isProgram);
}

/**
 * The path of a python3 of version 3.8 or newer on PATH, or undefined.
 * @returns {string | undefined}
 */
export function findPython() {
  const path = onPath("python3");
  const version = path === undefined ? undefined : /Python 3\.(\d+)/.exec(output(path, "--version"))?.[1];
  return Number(version ?? 0) >= oldestPython ? path : undefined;
}

/**
 * The path of a python3 that has python-socketio and what both of its transports need, or undefined.
 * @returns {string | undefined}
 */
export function findPythonClient() {
  // The one on PATH may not be the system's, and only that one sees the system's packages.
  const paths = [...allOnPath("python3"), "/usr/bin/python3"].filter(isProgram);
  return paths.find((path) => output(path, "-c", "import requests, socketio, websocket; print(1)") !== "");
}

/**
 * The path of redis-server; throws the way to get it when it is missing.
 * @returns {string}
 */
export function requireRedisServer() {
  return findRedisServer() ?? fail(redisServerMissing);
}

/**
 * The path of a Chromium; throws the way to get it when it is missing.
 * @returns {string}
 */
export function requireChromium() {
  return findChromium() ?? fail(chromiumMissing);
}

/**
 * The path of a python3; throws the way to get it when it is missing.
 * @returns {string}
 */
export function requirePython() {
  return findPython() ?? fail(pythonMissing);
}

/**
 * The path of a python3 that has python-socketio; throws the way to get it when it is missing.
 * @returns {string}
 */
export function requirePythonClient() {
  return findPythonClient() ?? fail(pythonClientMissing);
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  throw new Error(message);
}

/** @param {string} name */
function onPath(name) {
  return allOnPath(name)[0];
}

/** @param {string} name */
function allOnPath(name) {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).filter(isProgram);
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string} path
 * @param {string[]} args
 */
function output(path, ...args) {
  try {
    return execFileSync(path, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}
