import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough, Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { answerLines } from "./ndjson.ts";

/** A caller that takes answers only when it is told to. */
class SlowResponse extends Writable {
  taken = "";
  #done: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1 });
  }

  setHeader(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.taken += chunk.toString();
    this.#done = done;
  }

  /** Takes what waits. */
  take(): void {
    const done = this.#done;
    this.#done = undefined;
    done?.();
  }

  async takeAll(): Promise<void> {
    while (!this.writableFinished) {
      this.take();
      await nextTurn();
    }
  }
}

function start(batchLines: number) {
  const request = new PassThrough({ highWaterMark: 4 });
  const response = new SlowResponse();
  const batches: unknown[][] = [];
  const stopping = new AbortController();
  const done = answerLines(request as unknown as IncomingMessage, response as unknown as ServerResponse, {
    lineBytes: 100,
    batchLines,
    stopping: stopping.signal,
    answer: async (lines) => {
      const values = lines.map((line) => ("value" in line ? line.value : line.code));
      batches.push(values);
      return values.map((value) => JSON.stringify(value));
    },
  });
  return { request, response, batches, done, stopping };
}

describe("lines and their answers", () => {
  test("wait for a caller who takes no answers", async () => {
    const { request, response, batches, done } = start(100);
    request.write("1\n");
    await nextTurn();
    const more = Array.from({ length: 8 }, (_, i) => request.write(`${i + 2}\n`));
    expect(more.at(-1)).toBe(false);
    await nextTurn();
    expect(batches).toEqual([[1]]);
    request.end();
    await Promise.all([done, response.takeAll()]);
    expect(response.taken).toBe("1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  });

  test("that came together go together, in batches", async () => {
    const { request, response, batches, done } = start(2);
    request.end("1\n{\n3\n4\n5\n");
    await Promise.all([done, response.takeAll()]);
    expect(batches).toEqual([[1, "bad_request"], [3, 4], [5]]);
  });

  test("end when the caller is gone, also while an answer waits", async () => {
    const { request, response, batches, done } = start(1);
    request.write("1\n2\n3\n");
    await nextTurn();
    response.destroy();
    await done;
    expect(batches).toEqual([[1]]);
  });

  test("end without an answer to a line that broke off", async () => {
    const { request, batches, done } = start(1);
    request.write("12");
    await nextTurn();
    request.destroy(new Error("aborted"));
    await done;
    expect(batches).toEqual([]);
  });

  test("end when the node stops, with answers for whole lines only", async () => {
    const { request, response, batches, done, stopping } = start(100);
    request.write('1\n"half');
    await nextTurn();
    stopping.abort();
    await response.takeAll();
    await done;
    expect(batches).toEqual([[1]]);
    expect(request.destroyed).toBe(false);
  });
});
