import { setTimeout as sleep } from "node:timers/promises";

type Truthy<T> = Exclude<T, false | null | undefined>;

/** Waits until a condition holds and gives what it returned; what it throws counts as "not yet". */
export async function until<T>(
  condition: () => T | Promise<T>,
  ms = 15_000,
  everyMs = 5,
): Promise<Truthy<T>> {
  const end = performance.now() + ms;
  let failure: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== false && value !== undefined && value !== null) return value as Truthy<T>;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > end)
      throw new Error(`not true within ${ms} ms: ${String(condition)}`, { cause: failure });
    await sleep(everyMs);
  }
}
