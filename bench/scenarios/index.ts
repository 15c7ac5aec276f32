import type { Scenario } from "../scenario.ts";
import { connectRate, idleMemory } from "./connections.ts";
import { ingest } from "./ingest.ts";
import { presence } from "./presence.ts";
import { resumeStorm } from "./resume-storm.ts";
import { roomMemory } from "./room-memory.ts";
import { roomScenarios } from "./rooms.ts";
import { stalledReaders } from "./stalled-readers.ts";
import { streams } from "./streams.ts";

export const SCENARIOS: readonly Scenario[] = [
  ...roomScenarios,
  streams,
  ingest,
  connectRate,
  idleMemory,
  roomMemory,
  resumeStorm,
  stalledReaders,
  presence,
];
