import { Command } from "commander";
import { sendLines } from "../sources/stream.ts";
import { fail, openSource, sourceCommand, type SourceFlags } from "./source.ts";

/** `roomcast pipe`: sends what comes from standard input. */
export function pipeCommand(): Command {
  return sourceCommand(new Command("pipe"))
    .description("send the lines of standard input into a room")
    .addHelpText("after", EXAMPLES)
    .action(pipe);
}

const LAST_WORD_MS = 500;

const EXAMPLES = `
Examples:
  make 2>&1 | roomcast pipe --room build-42
  journalctl -f -o cat | roomcast pipe --room server --program journal
`;

async function pipe(flags: SourceFlags): Promise<void> {
  const program = flags.program ?? "pipe";
  try {
    const source = openSource(flags, program);
    const { stdin } = process;
    // Whatever writes there gets the signal too, and may have a last word.
    const stop = (): void => void setTimeout(() => stdin.destroy(), LAST_WORD_MS);
    process.once("SIGINT", stop).once("SIGTERM", stop).once("SIGHUP", stop);
    source.refused.addEventListener("abort", stop);
    source.announce();
    await sendLines(stdin, { sink: source.sink, origin: { program } });
    process.off("SIGINT", stop).off("SIGTERM", stop).off("SIGHUP", stop);
    if (!(await source.close())) process.exitCode = 1;
  } catch (error) {
    fail(error);
  }
}
