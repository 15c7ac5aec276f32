import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { HubError } from "../../../shared/errors.ts";
import { withoutMark } from "./body.ts";
import { LineSplitter, type Line } from "./line-splitter.ts";

/** Answers that are there at once are written together, up to about so many characters. */
const WRITE_CHARACTERS = 65_536;

export interface NdjsonOptions {
  /** Longest line, in bytes; a longer one is answered with `too_large`. */
  readonly lineBytes: number;
  /** Most lines that are answered together. */
  readonly batchLines: number;
  /** Ends the reading: lines that have come are answered, the rest is the caller's to send again. */
  readonly stopping: AbortSignal;
  /** Answers lines with JSON text, each in its place; must not reject. Each line is a JSON value, or why it is none. */
  readonly answer: (lines: readonly (HubError | { readonly value: unknown })[]) => Promise<readonly string[]>;
}

/**
 * Reads a request line by line and answers line by line, as fast as both sides go: nothing is read while an answer
 * waits to be taken. It ends when the request does, or when the caller is gone.
 */
export async function answerLines(
  request: IncomingMessage,
  response: ServerResponse,
  options: NdjsonOptions,
): Promise<void> {
  // Read already, it would look like a request without lines, and all of them would be lost in silence.
  if (request.readableDidRead) throw new Error("another body parser has read the NDJSON request");
  const splitter = new LineSplitter(options.lineBytes);
  response.statusCode = 201;
  response.setHeader("Content-Type", "application/x-ndjson");
  // A stream between them can be ended without ending the request, which would take the response along.
  const body = request.pipe(new PassThrough({ highWaterMark: 1 }));
  request.once("error", (error) => body.destroy(error));
  const stop = (): void => {
    request.unpipe(body);
    body.end();
  };
  if (options.stopping.aborted) stop();
  options.stopping.addEventListener("abort", stop);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      await answerAll(splitter.push(chunk), response, options);
      if (response.destroyed) return;
    }
  } catch (error) {
    // The caller is gone: its last line may be half a line, and nobody waits for an answer.
    if (error === request.errored) return;
    throw error;
  } finally {
    options.stopping.removeEventListener("abort", stop);
  }
  // What follows the last line end may be half a line, unless the caller has ended it.
  if (!options.stopping.aborted) await answerAll(splitter.end(), response, options);
  response.end();
}

async function answerAll(
  lines: readonly Line[],
  response: ServerResponse,
  options: NdjsonOptions,
): Promise<void> {
  const inputs = lines.map(parse).filter((input) => input !== undefined);
  let answers = "";
  for (let start = 0; start < inputs.length; start += options.batchLines) {
    // A chunk of short lines makes many batches, and this caller is not the only one.
    if (start > 0) await nextTurn();
    if (response.destroyed) return;
    const end = start + options.batchLines;
    answers += `${(await options.answer(inputs.slice(start, end))).join("\n")}\n`;
    // A write is a system call, which takes as long as several messages.
    if (end < inputs.length && answers.length < WRITE_CHARACTERS) continue;
    if (!response.write(answers)) await drained(response);
    answers = "";
  }
}

function parse(line: Line): HubError | { readonly value: unknown } | undefined {
  if (typeof line !== "string") return line;
  const text = withoutMark(line);
  if (text.trim() === "") return undefined;
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return new HubError("bad_request", "the line is no valid JSON");
  }
}

/** Resolves when the response takes more, or never will. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve();
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    return response.on("drain", done).on("close", done);
  });
}
