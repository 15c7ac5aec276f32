import { pino, type Logger } from "pino";
import type { Observer } from "../hub/observer.ts";

/**
 * Makes the hub's log: one JSON object a line, on standard error. Values are encoded, so nothing that came from outside
 * can begin a line of its own.
 */
export function createLog(level: string): Logger {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
}

/** Writes down what the core and the stores report. */
export function observeInto(log: Logger): Observer {
  return {
    gap: (gap) => log.warn({ gap }, "messages of a room are gone; its members were told"),
    backfilled: (room, messages) => log.info({ room, messages }, "fetched from the log what had not arrived"),
    slow: (connection) => log.info({ connection }, "closed a connection that took too little"),
    warning: (text) => log.warn(text),
    failure: (what, error) => log.error({ err: error }, what),
  };
}
