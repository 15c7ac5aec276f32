import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { logData, MAX_LINE_BYTES, type Origin } from "./entry.ts";
import { LineSplitter, type Line } from "./line-splitter.ts";
import type { Sink } from "./sink.ts";

export interface StreamOptions {
  readonly sink: Sink;
  readonly origin: Origin;
  /** Gets the bytes as they come. */
  readonly echo?: Writable;
  readonly onChunk?: () => void;
}

/**
 * Sends every line of a stream, until its end or its destruction. It reads no faster than the hub takes, unless the hub
 * is away.
 */
export async function sendLines(stream: Readable, options: StreamOptions): Promise<void> {
  const { sink, origin, echo, onChunk } = options;
  const splitter = new LineSplitter(MAX_LINE_BYTES);
  const send = (lines: readonly Line[]): void => {
    const now = Date.now();
    for (const line of lines) sink.push({ event: "log", data: logData(line, origin, now) });
  };
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      onChunk?.();
      send(splitter.push(chunk));
      if (echo !== undefined) await write(echo, chunk);
      await sink.room();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
  send(splitter.end());
}

/** A terminal that is gone is no reason to stop. */
async function write(out: Writable, chunk: Buffer): Promise<void> {
  if (out.destroyed || out.errored !== null) return;
  if (out.write(chunk)) return;
  await Promise.race([once(out, "drain"), once(out, "close")]).catch(() => {});
}
