import type { Writable } from "node:stream";

/** Resolves when no more than `enough` bytes wait in the stream, or it has been closed. */
export async function whenDrained(stream: Writable, enough: number): Promise<void> {
  while (stream.writableLength > enough && !stream.destroyed) {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        stream.off("drain", done).off("close", done);
        resolve();
      };
      stream.on("drain", done).on("close", done);
    });
  }
}
