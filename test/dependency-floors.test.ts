import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { type Floor, floorViolations, type Lockfile, lockViolations } from "./support/version-floors.ts";

const root = new URL("../", import.meta.url);
const lock = JSON.parse(readFileSync(new URL("package-lock.json", root), "utf8")) as Lockfile;
const floors = JSON.parse(readFileSync(new URL("security-floors.json", root), "utf8")) as Record<
  string,
  Floor
>;

function lockOf(packages: Lockfile["packages"]): Lockfile {
  return { lockfileVersion: 3, packages };
}

describe("the lockfile", () => {
  test("has every package at or above its security floor", () => {
    expect(floorViolations(lock, floors)).toEqual([]);
  });

  test("has hashes for what is installed and no registry's address", () => {
    expect(lock.lockfileVersion).toBe(3);
    expect(lockViolations(lock, (path) => existsSync(new URL(path, root)))).toEqual([]);
  });
});

describe("the floors", () => {
  const ws = { floor: "8.23.0", why: "", nested: { floor: "8.21.0", why: "" } };

  test.each(["8.22.9", "8.3.0", "7.99.99", "8.23.0-beta.1"])("refuse %s below 8.23.0", (version) => {
    expect(floorViolations(lockOf({ "node_modules/ws": { version } }), { ws })).toEqual([
      `node_modules/ws is ${version}, below 8.23.0`,
    ]);
  });

  test.each(["8.23.0", "8.23.1", "8.100.0", "10.0.0"])("accept %s at 8.23.0", (version) => {
    expect(floorViolations(lockOf({ "node_modules/ws": { version } }), { ws })).toEqual([]);
  });

  test("hold nested copies to the same floor unless they have their own", () => {
    const packages = lockOf({ "node_modules/a/node_modules/ws": { version: "8.21.3" } });
    expect(floorViolations(packages, { ws })).toEqual([]);
    expect(floorViolations(packages, { ws: { floor: "8.23.0", why: "" } })).toEqual([
      "node_modules/a/node_modules/ws is 8.21.3, below 8.23.0",
    ]);
  });

  test("report a floor for a package that is not there", () => {
    expect(floorViolations(lockOf({}), { ws })).toEqual(["ws has a floor but is not in the lockfile"]);
  });
});

describe("the lock check", () => {
  test("reports a missing or weak hash, except of builds for other platforms", () => {
    const packages = lockOf({
      "": {},
      "node_modules/none": { version: "1.0.0" },
      "node_modules/weak": { version: "1.0.0", integrity: "sha1-abc" },
      "node_modules/installed": { version: "1.0.0", optional: true },
      "node_modules/elsewhere": { version: "1.0.0", optional: true },
    });
    expect(lockViolations(packages, (path) => !path.endsWith("elsewhere"))).toEqual([
      "node_modules/none has no sha512 integrity",
      "node_modules/weak has no sha512 integrity",
      "node_modules/installed has no sha512 integrity",
    ]);
  });

  test("reports a registry's address", () => {
    const entry = { version: "1.0.0", integrity: "sha512-abc", resolved: "https://registry.example/a.tgz" };
    expect(lockViolations(lockOf({ "node_modules/a": entry }), () => true)).toEqual([
      "node_modules/a names its registry",
    ]);
  });
});
