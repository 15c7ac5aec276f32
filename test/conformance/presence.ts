import { describe } from "@jest/globals";
import { describeAnnouncing } from "./presence-announcing.ts";
import { describeCounting } from "./presence-counting.ts";
import { describeMembersModel } from "./presence-model.ts";
import { describeNaming } from "./presence-naming.ts";
import type { MakePresence } from "./presence-nodes.ts";

/** What every presence store promises, run on two nodes that share one. */
export function describePresence(name: string, makeNodes: MakePresence): void {
  describe(`presence in ${name}`, () => {
    describeAnnouncing(makeNodes);
    describeCounting(makeNodes);
    describeMembersModel(makeNodes);
    describeNaming(makeNodes);
  });
}
