import { HubError } from "./errors.ts";

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const LONGEST_MS = 366 * UNIT_MS.d * 10;

/**
 * Reads a length of time such as `500ms`, `30s`, `5m`, `24h` or `30d` as milliseconds.
 *
 * @throws HubError `bad_request`
 */
export function parseDuration(input: unknown): number {
  const match = typeof input === "string" ? /^(\d{1,9})(ms|s|m|h|d)$/.exec(input) : null;
  const ms = match === null ? Number.NaN : Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  if (ms > 0 && ms <= LONGEST_MS) return ms;
  throw new HubError("bad_request", 'a length of time is a whole number and ms, s, m, h or d, such as "5m"');
}
