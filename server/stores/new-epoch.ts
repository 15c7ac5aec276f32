import { randomBytes } from "node:crypto";

/** Makes the identity of a log that begins: 16 characters that no other log has. */
export function newEpoch(): string {
  return randomBytes(8).toString("hex");
}
