#!/usr/bin/env node
/**
 * Adds to package-lock.json the builds for other platforms that npm left out of it.
 *
 * npm drops an optional dependency from the lockfile when the registry it asked lacks that exact build, says nothing,
 * and `npm ci` then fails for everyone with "Missing: … from lock file". Run this after each change of a dependency.
 */
import { readFileSync, writeFileSync } from "node:fs";

/**
 * @typedef {{ version?: string, dev?: boolean, optional?: boolean, os?: string[], cpu?: string[], libc?: string[],
 *   optionalDependencies?: Record<string, string> }} Entry
 */

const systems = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
];
const processors = [
  "arm64",
  "arm",
  "ia32",
  "loong64",
  "mips64el",
  "ppc64",
  "riscv64",
  "s390x",
  "wasm32",
  "x64",
];

const file = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8"));
/** @type {Record<string, Entry>} */
const packages = lock.packages;

let added = 0;
for (const [path, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const isExact = /^\d+\.\d+\.\d+[\w.+-]*$/.test(version);
    if (!isExact || isLocked(path, name)) continue;
    const { os, cpu, libc } = platformOf(name);
    // The keys in npm's order, so that its next run changes nothing but what it has to.
    packages[`node_modules/${name}`] = {
      version,
      ...(cpu.length > 0 ? { cpu } : {}),
      ...(entry.dev ? { dev: true } : {}),
      ...(libc.length > 0 ? { libc } : {}),
      optional: true,
      ...(os.length > 0 ? { os } : {}),
    };
    added += 1;
  }
}

lock.packages = Object.fromEntries(Object.entries(packages).toSorted(([a], [b]) => a.localeCompare(b, "en")));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${added} platform builds added`);

/**
 * Whether the package at a path finds this dependency, in its own node_modules or in one above.
 * @param {string} path
 * @param {string} name
 */
function isLocked(path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const folder = at === "" ? "" : `${at}/`;
    if (`${folder}node_modules/${name}` in packages) return true;
    if (at === "") return false;
  }
}

/**
 * The platform that a build's name tells: `@swc/core-linux-x64-musl` → linux, x64, musl.
 * @param {string} name
 */
function platformOf(name) {
  const words = name.split(/[/-]/);
  return {
    os: systems.filter((system) => words.includes(system)),
    cpu: processors.filter((processor) => words.includes(processor)),
    // Without it npm would fetch the builds for musl on every Linux. Windows has a `gnu` of its own, hence the test.
    libc: words.includes("linux") ? libcOf(words) : [],
  };
}

/** @param {string[]} words */
function libcOf(words) {
  if (words.some((word) => word.startsWith("musl"))) return ["musl"];
  return words.some((word) => word.startsWith("gnu")) ? ["glibc"] : [];
}
