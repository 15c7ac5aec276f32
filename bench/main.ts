import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, release } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import { requireRedis } from "../chaos/redis-process.ts";
import { profileLines } from "./measure/profile.ts";
import { measureInTurn, type CaseResult } from "./pairs.ts";
import { summaryOf, tableOf } from "./report.ts";
import type { Scenario, Settings } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import { profiles } from "./servers/profiles.ts";
import type { Store } from "./servers/servers.ts";

interface Flags {
  readonly scenario?: readonly string[];
  readonly pairs?: number;
  readonly seconds?: number;
  readonly sockets?: number;
  readonly store: readonly Store[];
  readonly json?: string;
  readonly profile?: string;
  readonly smoke?: true;
}

/** What a shell gives for a program that Ctrl-C has ended. */
const INTERRUPTED = 130;
const STORES: readonly Store[] = ["disk", "memory", "redis"];
const ORDINARY = { pairs: 5, seconds: 4 };
const SMOKE = { pairs: 1, seconds: 0.2 };

await new Command("npm run bench --")
  .description("measure roomcast and plain Socket.IO in turn, under the same load, on this machine")
  .option("--scenario <list>", "only these, separated by commas", names)
  .option("--pairs <n>", `how often each target is measured, default ${ORDINARY.pairs}`, positive)
  .option("--seconds <n>", `how long each time, after the warm-up, default ${ORDINARY.seconds}`, positive)
  .option("--sockets <n>", "in place of each scenario's own number of sockets", positive)
  .addOption(
    new Option(
      "--store <list>",
      `where roomcast keeps its log, several separated by commas: ${STORES.join(", ")}`,
    )
      .argParser(stores)
      .default(["disk"], "disk"),
  )
  .option("--json <file>", "also write all cells into this file")
  .option(
    "--profile <folder>",
    "also take CPU profiles of the servers while messages are delivered or connections made, which slows them down",
  )
  .option("--smoke", "every scenario once with tiny sizes: only whether all messages come")
  .addHelpText("after", help)
  .action(bench)
  .parseAsync();

async function bench(flags: Flags): Promise<void> {
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => interrupted.abort(new Error("interrupted")));
  const standard = flags.smoke === true ? SMOKE : ORDINARY;
  const settings: Settings = {
    pairs: flags.pairs ?? standard.pairs,
    seconds: flags.seconds ?? standard.seconds,
    stores: flags.store,
    smoke: flags.smoke === true,
    ...(flags.sockets === undefined ? {} : { sockets: flags.sockets }),
  };
  try {
    requireRedis("the bench");
    if (flags.profile !== undefined) profiles.into(flags.profile);
    const results = await measureAll(chosen(flags.scenario), settings, interrupted.signal);
    if (flags.json !== undefined)
      writeFileSync(
        flags.json,
        `${JSON.stringify({ machine: machine(), settings, results }, undefined, 1)}\n`,
      );
    if (flags.profile !== undefined) console.log(`\n${profileLines(flags.profile).join("\n")}`);
    const voids = results.reduce((sum, one) => sum + one.voids, 0);
    console.log(
      `\n${voids === 0 ? "no cell is void" : `${voids} CELLS ARE VOID: their messages are not all right`}`,
    );
    if (voids > 0) process.exitCode = 1;
  } catch (error) {
    console.error(`bench: ${(error as Error).message}`);
    process.exitCode = interrupted.signal.aborted ? INTERRUPTED : 1;
  }
}

type Result = CaseResult & { readonly scenario: string; readonly summary: object; readonly voids: number };

async function measureAll(
  scenarios: readonly Scenario[],
  settings: Settings,
  signal: AbortSignal,
): Promise<Result[]> {
  const results: Result[] = [];
  const print = (line: string): void => console.error(line);
  for (const { name, does, cases } of scenarios) {
    console.log(`\n## ${name}: ${does}`);
    for (const one of cases(settings)) {
      const result = await measureInTurn(one, { pairs: settings.pairs, signal, print });
      const summary = summaryOf(result);
      console.log(`\n${one.name}\n`);
      for (const line of tableOf(summary, one.compared)) console.log(line);
      const voids = summary.targets.reduce((sum, target) => sum + target.voids, 0);
      results.push({ scenario: name, ...result, summary, voids });
    }
  }
  return results;
}

/** What figures of different days may differ by. */
function machine(): object {
  const redis = execFileSync("redis-server", ["--version"], { encoding: "utf8" }).trim();
  const cpu = cpus()[0]?.model ?? "unknown";
  return {
    at: new Date().toISOString(),
    node: process.version,
    kernel: release(),
    cpus: availableParallelism(),
    cpu,
    redis,
  };
}

function chosen(given: readonly string[] | undefined): readonly Scenario[] {
  if (given === undefined) return SCENARIOS;
  return given.map((name) => {
    const scenario = SCENARIOS.find((one) => one.name === name);
    if (scenario === undefined) throw new RangeError(`there is no scenario "${name}": --help shows all`);
    return scenario;
  });
}

function help(): string {
  const width = Math.max(...SCENARIOS.map(({ name }) => name.length));
  const lines = SCENARIOS.map(({ name, does }) => `  ${name.padEnd(width)}  ${does}`);
  return `\nScenarios:\n${lines.join("\n")}\n\nIt runs on Linux and needs redis-server 7 or newer. The exit code is 1 if a cell is void. See bench/README.md.`;
}

function stores(text: string): Store[] {
  return names(text).map((name) => {
    const store = STORES.find((one) => one === name);
    if (store === undefined) throw new InvalidArgumentError(`The stores are ${STORES.join(", ")}.`);
    return store;
  });
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It is a number over 0.");
}

function names(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}
