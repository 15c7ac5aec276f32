import { Command, InvalidArgumentError } from "commander";
import {
  BUGS,
  FAULT_KINDS,
  GATE,
  kindsNamed,
  missedTargets,
  RedisMissing,
  ROOMS,
  runChaos,
  runPlanted,
  summaryOf,
} from "../../chaos/index.ts";

interface ChaosFlags {
  readonly seed?: number;
  readonly seconds?: number;
  readonly faults?: number;
  readonly kinds?: readonly string[];
  readonly without?: readonly string[];
  readonly clients?: number;
  readonly keep?: string;
  readonly gate?: true;
  readonly list?: true;
  readonly planted?: readonly string[];
}

/** What a shell gives for a program that Ctrl-C has ended. */
const INTERRUPTED = 130;
const SECONDS = { ordinary: 60, planted: 25 };
const CLIENTS = { ordinary: 180, planted: 90 };

/** `roomcast chaos`: breaks hubs on purpose and checks that nothing is lost, doubled or out of order. */
export function chaosCommand(): Command {
  return new Command("chaos")
    .description("run three hubs on a Redis of their own, break them on purpose, and check every message")
    .option(
      "--seed <number>",
      "repeats a run: the same seed strikes the same things in the same order",
      whole,
    )
    .option("--seconds <n>", `how long to strike, default ${SECONDS.ordinary}`, whole)
    .option("--faults <n>", "end after so many faults", whole)
    .option("--kinds <list>", "only these kinds of fault, separated by commas", names)
    .option("--without <list>", "all kinds but these", names)
    .option("--clients <n>", `how many clients, default ${CLIENTS.ordinary}`, whole)
    .option("--keep <dir>", "keep everything that was seen and printed in this folder")
    .option(
      "--gate",
      `the run of CI: ${GATE.seconds} s, ${GATE.clients} clients, seed ${GATE.seed}, and figures that must be met`,
    )
    .option("--planted <list>", "give the first hub these bugs (or: all), and tell which are noticed", names)
    .option("--list", "show the kinds of fault and the bugs that can be planted")
    .addHelpText("after", EXAMPLES)
    .action(chaos);
}

const EXAMPLES = `
Everything runs on this machine, on loopback, and ends with the command. It needs redis-server 7 or newer. The exit code
is 0 if nothing is wrong, 1 if something is (or a figure of --gate is missed). Examples:
  roomcast chaos                                   a minute of everything
  roomcast chaos --kinds hub-kill,redis-kill --seconds 120 --seed 7 --keep /tmp/run
  roomcast chaos --planted all                     does the check itself notice what it should?
`;

async function chaos(flags: ChaosFlags): Promise<void> {
  if (flags.list === true) return list();
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => interrupted.abort(new Error("interrupted")));
  try {
    await (flags.planted === undefined
      ? strike(flags, interrupted.signal)
      : plant(flags, interrupted.signal));
  } catch (error) {
    const known = error instanceof RedisMissing || error instanceof RangeError || interrupted.signal.aborted;
    console.error(
      `roomcast: ${known ? (error as Error).message : ((error as Error).stack ?? String(error))}`,
    );
    process.exitCode = interrupted.signal.aborted ? INTERRUPTED : 1;
  }
}

async function strike(flags: ChaosFlags, signal: AbortSignal): Promise<void> {
  const gate = flags.gate === true ? GATE : undefined;
  const options = optionsOf(flags, signal, {
    seed: gate?.seed ?? Math.floor(Math.random() * 1_000_000),
    seconds: gate?.seconds ?? (flags.faults === undefined ? SECONDS.ordinary : Number.POSITIVE_INFINITY),
    clients: gate?.clients ?? CLIENTS.ordinary,
  });
  const kinds = flags.kinds === undefined ? FAULT_KINDS : kindsNamed(flags.kinds);
  const left = kinds.filter((kind) => !kindsNamed(flags.without ?? []).includes(kind));
  console.log(`seed ${options.seed}, ${options.clients} clients, ${left.length} kinds of fault`);
  const result = await runChaos({ ...options, kinds: left, planted: [], rooms: ROOMS });
  for (const line of summaryOf(result, gate?.targets)) console.log(line);
  const missed = gate === undefined ? [] : missedTargets(result, gate.targets);
  if (result.findings.total > 0 || missed.length > 0) process.exitCode = 1;
}

async function plant(flags: ChaosFlags, signal: AbortSignal): Promise<void> {
  const all = BUGS.map(({ name }) => name);
  const chosen = flags.planted?.includes("all") === true ? all : (flags.planted ?? []);
  const unknown = chosen.find((name) => !all.includes(name));
  if (unknown !== undefined)
    throw new RangeError(`there is no bug "${unknown}": roomcast chaos --list shows all`);
  const kinds = kindsNamed(flags.kinds ?? []);
  const options = optionsOf(flags, signal, { seed: 1, seconds: SECONDS.planted, clients: CLIENTS.planted });
  const { caught, clean, result } = await runPlanted(chosen, { ...options, kinds });
  console.log("");
  for (const { bug, by, seconds } of caught) {
    const found =
      seconds === undefined ? "NOT NOTICED" : `${by.join(" ").padEnd(16)} ${seconds.toFixed(1)} s`;
    console.log(`${bug.name.padEnd(18)} ${found.padEnd(26)} ${bug.does}`);
  }
  const missed = caught.filter(({ seconds }) => seconds === undefined).length;
  console.log(`${caught.length - missed} of ${caught.length} bugs noticed in ${result.seconds.toFixed(0)} s`);
  if (!clean) for (const line of summaryOf(result)) console.log(line);
  console.log(clean ? "no alarm in the rooms without a bug" : "ALARMS IN ROOMS WITHOUT A BUG");
  if (missed > 0 || !clean) process.exitCode = 1;
}

function optionsOf(
  flags: ChaosFlags,
  signal: AbortSignal,
  otherwise: { readonly seed: number; readonly seconds: number; readonly clients: number },
): Omit<Parameters<typeof runChaos>[0], "kinds" | "planted" | "rooms"> {
  return {
    seed: flags.seed ?? otherwise.seed,
    seconds: flags.seconds ?? otherwise.seconds,
    clients: flags.clients ?? otherwise.clients,
    faults: flags.faults ?? Number.POSITIVE_INFINITY,
    ...(flags.keep === undefined ? {} : { keep: flags.keep }),
    print: (line) => console.log(line),
    signal,
  };
}

function list(): void {
  console.log("Kinds of fault:");
  for (const { name, does, losesData } of FAULT_KINDS)
    console.log(`  ${name.padEnd(18)} ${does}${losesData ? " (loses data)" : ""}`);
  console.log("\nBugs that can be planted:");
  for (const { name, does } of BUGS) console.log(`  ${name.padEnd(18)} ${does}`);
}

function whole(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is a whole number.");
}

function names(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}
