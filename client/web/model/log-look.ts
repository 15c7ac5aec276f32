import type { Storage } from "./storage.ts";
import { TIME_STYLES, type TimeStyle } from "./times.ts";

/** How the reader wants rows to look. */
export interface LogLook {
  readonly wraps: boolean;
  readonly times: TimeStyle;
}

const KEY = "roomcast.log-look";

/** How this browser had it last. */
export function keptLook(storage: Storage): LogLook {
  try {
    const { wraps, times } = JSON.parse(storage.get(KEY) ?? "{}") as Partial<Record<keyof LogLook, unknown>>;
    return { wraps: wraps === true, times: TIME_STYLES.find((style) => style === times) ?? "local" };
  } catch {
    return { wraps: false, times: "local" };
  }
}

export function keepLook(storage: Storage, look: LogLook): void {
  storage.set(KEY, JSON.stringify(look));
}
