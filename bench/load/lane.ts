/** A way to the server on which one publish at a time is under way. */
export interface Lane {
  /** Publishes messages into a room, given as JSON texts; resolves when they are acknowledged. */
  send(room: string, datas: readonly string[]): Promise<void>;
  close(): void | Promise<void>;
}
