import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";

// Loaded into a server before its own code: each SIGUSR2 begins a CPU profile, or ends it and writes the file.
const INTERVAL_MICROS = 200;
const file = process.env["BENCH_PROFILE"]!;
let session: Session | undefined;

async function toggle(): Promise<void> {
  if (session === undefined) {
    session = new Session();
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: INTERVAL_MICROS });
    await session.post("Profiler.start");
    return console.log("profile began");
  }
  const { profile } = await session.post("Profiler.stop");
  writeFileSync(file, JSON.stringify(profile));
  session.disconnect();
  session = undefined;
  return console.log("profile written");
}

process.on("SIGUSR2", () => void toggle());
