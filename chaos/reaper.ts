import { rmSync } from "node:fs";

// Ends what a run has started once the run is gone, however it went.
const [folder] = process.argv.slice(2);
const running = new Set<number>();

process.on("message", ({ started: begun, ended }: { started?: number; ended?: number }) => {
  if (begun !== undefined) running.add(begun);
  // Its number may be another process's by now.
  if (ended !== undefined) running.delete(ended);
});
process.on("disconnect", () => {
  for (const pid of running) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended before.
    }
  }
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});
