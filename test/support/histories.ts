import type { Position } from "../../shared/position.ts";
import type { GapReason } from "../../shared/protocol.ts";
import type { Invariant } from "../../chaos/oracle/findings.ts";
import type { Observation, ReadBack } from "../../chaos/oracle/observations.ts";
import { Oracle } from "../../chaos/oracle/oracle.ts";

export const ROOM = "chat:x";
export const EPOCH = "e1";
export const FORGETFUL = new Map([["chat:short", 10]]);

export const hashOf = (id: string): number =>
  Array.from(id).reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7);
export const at = (offset: number, epoch = EPOCH): Position => ({
  epoch,
  offset,
  id: offset === 0 ? "" : `m${offset}`,
});

export const invoke = (id: string, room = ROOM): Observation => ({
  kind: "invoke",
  at: 1,
  publisher: "p",
  room,
  id,
  hash: hashOf(id),
});
export const ok = (offset: number, more: object = {}): Observation => ({
  kind: "ok",
  at: 2,
  publisher: "p",
  room: ROOM,
  ...at(offset),
  duplicate: false,
  ...more,
});
/** Messages 1 to `count`, sent and acknowledged. */
export const published = (count: number): Observation[] =>
  Array.from({ length: count }, (_, i) => [invoke(`m${i + 1}`), ok(i + 1)]).flat();
export const join = (since?: Position, room = ROOM): Observation => ({
  kind: "join",
  at: 3,
  client: "c",
  room,
  ...(since === undefined ? { start: "now" } : { start: "since", since }),
});
export const joined = (position: Position, more: object = {}, room = ROOM): Observation => ({
  kind: "joined",
  at: 4,
  client: "c",
  room,
  reply: { position, ...more },
});
export const message = (offset: number, more: object = {}): Observation => ({
  kind: "message",
  at: 5,
  client: "c",
  room: ROOM,
  ...at(offset),
  hash: hashOf(`m${offset}`),
  ...more,
});
export const gap = (
  from: number,
  to: number,
  reason: GapReason,
  room = ROOM,
  epoch = EPOCH,
): Observation => ({
  kind: "gap",
  at: 4,
  client: "c",
  gap: { room, epoch, from, to, reason },
});
export const readBack = (count: number, more: Partial<ReadBack> = {}): ReadBack => ({
  node: "node-0",
  room: ROOM,
  position: at(count),
  firstOffset: 1,
  messages: Array.from({ length: count }, (_, i) => ({ ...at(i + 1), hash: hashOf(`m${i + 1}`) })),
  ...more,
});
export const loss = (from: number, to: number): Observation[] => [
  { kind: "fault", at: from, name: "rollback", losesData: true },
  { kind: "healed", at: to, name: "rollback", losesData: true },
];

/** What an oracle says of a history, and of what is read back after it. */
export function judge(history: readonly Observation[], logs: readonly ReadBack[] = []): Invariant[] {
  const oracle = new Oracle(FORGETFUL);
  history.forEach((one) => oracle.observe(one));
  logs.forEach((log) => oracle.readBack(log, 10));
  oracle.finish(10);
  return [...new Set(oracle.findings.examples.map(({ invariant }) => invariant))].toSorted();
}
