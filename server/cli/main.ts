#!/usr/bin/env node
import { createRequire } from "node:module";
import { Command } from "commander";
import { chaosCommand } from "./chaos.ts";
import { pipeCommand } from "./pipe.ts";
import { publishCommand } from "./publish.ts";
import { runCommand } from "./run.ts";
import { serveCommand } from "./serve.ts";
import { tailCommand } from "./tail.ts";
import { watchCommand } from "./watch.ts";

const { version, description } = createRequire(import.meta.url)("roomcast/package.json") as {
  version: string;
  description: string;
};

await new Command("roomcast")
  .description(description)
  .version(version)
  .addCommand(serveCommand())
  .addCommand(publishCommand())
  .addCommand(watchCommand())
  .addCommand(runCommand())
  .addCommand(pipeCommand())
  .addCommand(tailCommand())
  .addCommand(chaosCommand())
  .showHelpAfterError("(roomcast --help shows what there is)")
  .parseAsync();
