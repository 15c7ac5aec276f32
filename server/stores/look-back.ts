/** Clocks of a sender and a store may go at different rates while a message is being retried. */
const SENT_MARGIN_MS = 1_000;

/** A log as it is before what is looked for may be stored. */
export interface LookedBackOn<M extends { readonly id: string; readonly time: number }> {
  readonly first: number;
  readonly top: number;
  /** The present, by the store's clock. */
  readonly time: number;
  /** Until when something may have been stored that is no longer kept, by the same clock. */
  readonly appendedAt: number;
  at(offset: number): M;
}

/**
 * Looks for a message that was sent before among those stored since then, newest first.
 *
 * @param sentAgoMs how long ago it was first sent
 * @returns its offset and itself; undefined if it is certainly not stored; "unknown" if what came since is not kept
 */
export function lookBack<M extends { readonly id: string; readonly time: number }>(
  log: LookedBackOn<M>,
  id: string,
  sentAgoMs: number,
): { readonly offset: number; readonly message: M } | "unknown" | undefined {
  const since = log.time - sentAgoMs - SENT_MARGIN_MS;
  for (let offset = log.top; offset >= log.first; offset -= 1) {
    const message = log.at(offset);
    if (message.id === id) return { offset, message };
    if (message.time < since) return undefined;
  }
  return log.first === 1 || log.appendedAt < since ? undefined : "unknown";
}
