import { rmSync } from "node:fs";

// Ends what a run has started once the run is gone, however it went.
const [folder] = process.argv.slice(2);
const started = new Set<number>();

process.on("message", (pid: number) => started.add(pid));
process.on("disconnect", () => {
  for (const pid of started) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended before.
    }
  }
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});
