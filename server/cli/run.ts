import { basename } from "node:path";
import { Command } from "commander";
import { CommandError, runChild } from "../sources/child.ts";
import { fail, note, openSource, sourceCommand, type SourceFlags } from "./source.ts";

interface RunFlags extends SourceFlags {
  readonly quiet?: true;
}

/** `roomcast run -- CMD…`: runs a command and sends what it prints. */
export function runCommand(): Command {
  return sourceCommand(new Command("run"))
    .description("run a command and send both its outputs and its end into a room")
    .argument("<command...>", "after --, with its arguments")
    .option("--quiet", "do not show the outputs here as well")
    .addHelpText("after", EXAMPLES)
    .action(run);
}

const EXAMPLES = `
It ends as the command does: with its code, or 128 + n after the signal n. Examples:
  roomcast run -- make -j4
  roomcast run --room build-42 --program tests -- npm test
`;

async function run(command: string[], flags: RunFlags): Promise<void> {
  const [file, ...args] = command as [string, ...string[]];
  const program = flags.program ?? basename(file);
  try {
    const source = openSource(flags, program);
    const { stdout, stderr } = process;
    // Whoever closed the pipe has seen enough; the room goes on.
    for (const out of [stdout, stderr]) out.on("error", () => {});
    try {
      const shown = flags.quiet === true ? {} : { echo: { stdout, stderr } };
      const options = { sink: source.sink, program, onStart: () => source.announce(), ...shown };
      process.exitCode = await runChild([file, ...args], options);
    } finally {
      await source.close();
    }
  } catch (error) {
    if (!(error instanceof CommandError)) return fail(error);
    note(error.message);
    process.exitCode = error.code;
  }
}
