import { answerCalls } from "../wire/calls.ts";
import { Publishers, type LoadPlan, type Run, type RunResult } from "./publishers.ts";

/** What the process that publishes can be asked: to get ready, and then to publish. */
export interface LoadApi {
  start(plan: LoadPlan): Promise<void>;
  run(run: Run): Promise<RunResult>;
}

let publishers: Publishers | undefined;

answerCalls<LoadApi>({
  start: async (plan) => {
    publishers = await Publishers.start(plan);
  },
  run: (run) => publishers!.run(run),
});
