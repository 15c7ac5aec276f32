import { answerCalls } from "../wire/calls.ts";
import { Crowd, type Connecting, type CrowdPlan, type CrowdState } from "./crowd.ts";

/** What a process of subscribers can be asked: to make its crowd, and then what `Crowd` can do. */
export interface SubscriberApi {
  plan(plan: CrowdPlan): void;
  connect(connecting: Connecting): Promise<number>;
  cut(): void;
  settle(messages: Readonly<Record<string, number>>, ms: number): Promise<boolean>;
  state(): CrowdState;
  latencies(): Uint32Array;
}

let crowd: Crowd | undefined;

answerCalls<SubscriberApi>({
  plan: (plan) => {
    crowd = new Crowd(plan);
  },
  connect: (connecting) => crowd!.connect(connecting),
  cut: () => crowd!.cut(),
  settle: (messages, ms) => crowd!.settle(messages, ms),
  state: () => crowd!.state(),
  latencies: () => crowd!.latencies(),
});
