import { describe } from "@jest/globals";
import { describeAppending } from "./broker-appending.ts";
import { describeDelivery } from "./broker-delivery.ts";
import { describeKeeping } from "./broker-keeping.ts";
import type { MakeNodes } from "./broker-nodes.ts";
import { describeReading } from "./broker-reading.ts";
import { describeRenewing } from "./broker-renewing.ts";
import { describeRetrying } from "./broker-retrying.ts";

/** What every broker promises, run on two nodes that share one store. */
export function describeBroker(name: string, makeNodes: MakeNodes): void {
  describe(`the ${name} broker`, () => {
    describeAppending(makeNodes);
    describeDelivery(makeNodes);
    describeKeeping(makeNodes);
    describeReading(makeNodes);
    describeRenewing(makeNodes);
    describeRetrying(makeNodes);
  });
}
