import { z } from "zod";
import { parseDuration } from "../shared/duration.ts";
import { DEFAULT_LIMITS, type Limits } from "../shared/limits.ts";
import {
  DEFAULT_ROOM_OPTIONS,
  isRoomPattern,
  type RoomOptions,
  type RoomOptionsTable,
} from "../shared/room-options.ts";

/** A port, as a number or as text. `z.coerce` would read null, an empty text and `[]` as 0. */
export function checkedPort(input: unknown, context: z.RefinementCtx): number {
  const port = typeof input === "string" && /^\d+$/.test(input) ? Number(input) : input;
  if (Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535) return port as number;
  context.addIssue({ code: "custom", message: "a port is a whole number from 0 to 65535" });
  return z.NEVER;
}

/** Room options by pattern; what they do not name is as in the rooms' kind. */
export function checkedRooms(input: unknown, context: z.RefinementCtx): RoomOptionsTable {
  const table: Record<string, RoomOptions> = { ...DEFAULT_ROOM_OPTIONS };
  const refuse = (path: string[], message: string): void =>
    context.addIssue({ code: "custom", path, message });
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    refuse([], "it is no object");
    return table;
  }
  for (const [pattern, value] of Object.entries(input)) {
    if (!isRoomPattern(pattern))
      refuse([pattern], "a pattern is a room's name, or the beginning of one and a *");
    const shape = z.strictObject({
      messages: z.number().int().min(0).max(10_000_000).exactOptional(),
      age: z.string().exactOptional(),
      presence: z.boolean().exactOptional(),
      uniqueNames: z.boolean().exactOptional(),
    });
    const result = shape.safeParse(value);
    const base = DEFAULT_ROOM_OPTIONS[pattern.replace(/:.*$/, ":*")] ?? DEFAULT_ROOM_OPTIONS["stream:*"]!;
    if (!result.success) {
      result.error.issues.forEach((issue) => refuse([pattern, ...issue.path.map(String)], issue.message));
      continue;
    }
    try {
      const { age, ...rest } = result.data;
      table[pattern] = { ...base, ...rest, ...(age === undefined ? {} : { ageMs: parseDuration(age) }) };
    } catch (error) {
      refuse([pattern, "age"], (error as Error).message);
    }
  }
  return table;
}

/** Limits by name, and the default ones beside them. */
export function checkedLimits(input: unknown, context: z.RefinementCtx): Limits {
  const names = Object.keys(DEFAULT_LIMITS) as (keyof Limits)[];
  const amount = z
    .number()
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .exactOptional();
  const shape = z.strictObject(Object.fromEntries(names.map((name) => [name, amount])));
  const result = shape.safeParse(input);
  if (result.success) return { ...DEFAULT_LIMITS, ...result.data };
  result.error.issues.forEach((issue) =>
    context.addIssue({ code: "custom", path: issue.path.map(String), message: issue.message }),
  );
  return DEFAULT_LIMITS;
}
