export { FAULT_KINDS } from "./faults/schedule.ts";
export { GATE, kindsNamed, ROOMS } from "./options.ts";
export { BUGS } from "./planted/bugs.ts";
export { runPlanted } from "./planted/run-planted.ts";
export { RedisMissing } from "./redis-process.ts";
export { missedTargets, summaryOf } from "./report.ts";
export { runChaos } from "./run.ts";
