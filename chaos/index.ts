export { FAULT_KINDS } from "./faults/schedule.ts";
export { GATE, kindsNamed, ROOMS, type ChaosOptions, type Targets } from "./options.ts";
export { BUGS } from "./planted/bugs.ts";
export { runPlanted } from "./planted/run-planted.ts";
export { RedisMissing } from "./redis-process.ts";
export { missedTargets, summaryOf, type RunResult } from "./report.ts";
export { runChaos } from "./run.ts";
