import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Commands, type Command } from "../support/commands.ts";
import { until } from "../support/wait.ts";

let commands: Commands;
let folders: readonly string[];
beforeEach(() => {
  commands = new Commands();
  folders = foldersOfRuns();
});
afterEach(() => commands.close());

function foldersOfRuns(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith("roomcast-chaos-"));
}

function childrenOf({ process: { pid } }: Command): number[] {
  return execFileSync("pgrep", ["-P", String(pid)], { encoding: "utf8" })
    .split("\n")
    .filter(Boolean)
    .map(Number);
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const small = ["chaos", "--clients", "24", "--seed", "1"];

describe("roomcast chaos", () => {
  test("strikes, finds nothing wrong, and leaves nothing behind", async () => {
    const kinds = ["--kinds", "hub-kill,client-reset,hub-mute", "--faults", "2"];
    const { code, out, err } = await commands.run([...small, ...kinds], { ms: 120_000 });
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^seed 1, 24 clients, 3 kinds of fault$/m);
    expect(out).toMatch(
      /^streams +5 clients read streams of events: [1-9]\d* of the deliveries, [1-9]\d* resumes$/m,
    );
    expect(out).toMatch(/^wrong +0$/m);
    expect(foldersOfRuns()).toEqual(folders);
  }, 150_000);

  test("notices a planted bug, and says nothing about rooms without one", async () => {
    const { code, out } = await commands.run(
      ["chaos", "--planted", "drop", "--seconds", "8", "--clients", "40"],
      {
        ms: 120_000,
      },
    );
    expect(out).toMatch(/^drop +I5/m);
    expect(out).toMatch(/^no alarm in the rooms without a bug$/m);
    expect(code).toBe(0);
  }, 150_000);

  test.each([
    ["Ctrl-C", "SIGINT", { code: 130, signal: null }],
    ["kill -9", "SIGKILL", { code: null, signal: "SIGKILL" }],
  ] as const)(
    "ends with everything that it has started on %s",
    async (_, signal, expected) => {
      const command = commands.start([...small, "--kinds", "hub-stop,redis-stop"]);
      await command.prints(/hub-stop on node/, "out", 60_000);
      const children = childrenOf(command);
      // A Redis, three hubs, the clients, two workers, and who cleans up.
      expect(children).toHaveLength(8);
      expect(await command.end(signal)).toEqual(expected);
      await until(() => !children.some(runs));
      await until(() => foldersOfRuns().length === folders.length);
    },
    90_000,
  );

  test("says how to get a Redis where there is none", async () => {
    const { code, err } = await commands.run(["chaos"], { env: { PATH: "/nowhere" } });
    expect(code).toBe(1);
    expect(err).toMatch(/^roomcast: redis-server is not there\. .*\n {2}apt-get install redis-server/);
  });

  test("lists what it can do, and refuses what it can not", async () => {
    const { out } = await commands.run(["chaos", "--list"]);
    for (const name of ["hub-kill", "redis-rollback", "client-reset", "seam-gap"])
      expect(out).toContain(`  ${name} `);
    const wrong = await commands.run(["chaos", "--kinds", "earthquake"]);
    expect([wrong.code, wrong.err]).toEqual([
      1,
      'roomcast: there is no fault "earthquake": roomcast chaos --list shows all\n',
    ]);
    const bug = await commands.run(["chaos", "--planted", "moth"]);
    expect([bug.code, bug.err]).toEqual([
      1,
      'roomcast: there is no bug "moth": roomcast chaos --list shows all\n',
    ]);
  });
});
