import { HubError } from "../../shared/errors.ts";

/** What a message gets that was sent before, when the log no longer has all that came since. */
export function untold(id: string): HubError {
  return new HubError(
    "unavailable",
    `whether the message ${id} is stored can't be told any more: the room does not keep what came since it was first sent`,
  );
}
