import { basename } from "node:path";
import { Command } from "commander";
import { NotAFile } from "../sources/life.ts";
import { StateError, TailState } from "../sources/tail-state.ts";
import { tail } from "../sources/tail.ts";
import { fail, note, openSource, sourceCommand, type SourceFlags } from "./source.ts";

interface TailFlags extends SourceFlags {
  readonly state?: string;
  readonly fromStart?: true;
}

/** `roomcast tail FILE…`: follows log files. */
export function tailCommand(): Command {
  return sourceCommand(new Command("tail"))
    .description("follow log files, over every rotation, and send their new lines into a room")
    .argument(
      "<file...>",
      "paths, and quoted patterns such as 'logs/*.log'; what appears later is followed too",
    )
    .option("--state <file>", "remember there how far the hub has them, and go on after it the next time")
    .option("--from-start", "send files that are already there whole, not only what comes from now on")
    .addHelpText("after", EXAMPLES)
    .action(follow);
}

const EXAMPLES = `
Examples:
  roomcast tail /var/log/nginx/error.log --room web
  roomcast tail 'logs/*.log' --room app --state logs/.roomcast.json
`;

async function follow(files: string[], flags: TailFlags): Promise<void> {
  try {
    const state = flags.state === undefined ? undefined : await TailState.load(flags.state);
    const source = openSource(flags, flags.program ?? (basename(files[0]!).replaceAll(/\*+/g, "") || "tail"));
    const ending = new AbortController();
    const stop = (): void => {
      ending.abort();
      // It may be waiting for room.
      source.sink.release();
    };
    process.once("SIGINT", stop).once("SIGTERM", stop).once("SIGHUP", stop);
    source.refused.addEventListener("abort", stop);
    source.announce();
    try {
      const { program, fromStart = false } = flags;
      await tail(files, {
        sink: source.sink,
        fromStart,
        ...(program === undefined ? {} : { program }),
        ...(state === undefined ? {} : { state }),
        onNote: note,
        signal: ending.signal,
      });
    } finally {
      process.off("SIGINT", stop).off("SIGTERM", stop).off("SIGHUP", stop);
      if (!(await source.close())) process.exitCode = 1;
      await state?.save();
    }
  } catch (error) {
    const isKnown = error instanceof NotAFile || error instanceof StateError || "syscall" in (error as Error);
    if (!isKnown) return fail(error);
    process.exitCode = 1;
    note((error as Error).message);
  }
}
