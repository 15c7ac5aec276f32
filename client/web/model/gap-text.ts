import type { Gap } from "../../../shared/protocol.ts";

const REASONS = {
  epoch_changed: "the hub began a new log",
  trimmed: "they are no longer kept",
  rolled_back: "the hub's store lost its newest messages",
  lost: "they were lost on the way",
} as const satisfies Record<Gap["reason"], string>;

/** Says in words what is missing and why. */
export function gapText({ from, to, reason }: Gap): string {
  if (reason === "epoch_changed")
    return `From here on the hub has a new log: what came in between may be missing`;
  const count = to - from + 1;
  const what = count < 1 ? "Messages" : count === 1 ? "1 message" : `${count.toLocaleString("en")} messages`;
  return `${what} missing here: ${REASONS[reason]}`;
}
