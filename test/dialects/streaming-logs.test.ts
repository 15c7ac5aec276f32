import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Command } from "../support/commands.ts";
import type { PlainSocket } from "../support/plain-socket.ts";
import { until } from "../support/wait.ts";
import { numbers, Stage } from "./support/stage.ts";

const START = JSON.stringify({ msg: "start" });

let stage: Stage;
let file: string;
let example: Command;
let url: string;

beforeEach(async () => {
  stage = new Stage();
  file = join(stage.folder(), "stream-this.log");
  writeFileSync(file, lines(1, 12));
});
afterEach(() => stage.close());

function lines(first: number, last: number): string {
  return numbers(first, last)
    .map((n) => `${n}\n`)
    .join("");
}

/** Runs the example; resolves when the hub has what was in the file. */
async function stream(hub?: string): Promise<void> {
  const address = hub ?? (await stage.serve()).url;
  example = stage.node("examples/streaming-logs.mjs", file, address, "0");
  const [, port] = await example.prints(/^viewers connect to (\d+)$/m);
  url = `http://127.0.0.1:${port!}`;
  if (hub === undefined) {
    await until(async () => {
      const room = await stage.get(`${address}/rooms/stream%3Astream-this.log`);
      return (room as { position: { offset: number } }).position.offset === 12;
    });
  }
}

async function view(...said: readonly string[]): Promise<PlainSocket> {
  const viewer = stage.socket(url);
  await until(() => viewer.socket.readyState === viewer.socket.OPEN);
  said.forEach((text) => viewer.send(text));
  return viewer;
}

function logOf(viewer: PlainSocket): string {
  return viewer.frames.map((frame) => (frame as { log: string }).log).join("");
}

async function has(viewer: PlainSocket, text: string): Promise<void> {
  await until(() => logOf(viewer).length >= text.length);
  expect(logOf(viewer)).toBe(text);
}

describe("a tail over a WebSocket", () => {
  it("E1: a viewer that says start gets the last lines and then each new one", async () => {
    await stream();
    const viewer = await view(START);
    await has(viewer, lines(3, 12));
    appendFileSync(file, lines(13, 14));
    await has(viewer, lines(3, 14));
    expect(viewer.frames[0]).toEqual({ event: "log", log: "3\n" });
  });

  it("E2: the server's log tells who comes and goes, and how the child ended", async () => {
    await stream();
    const viewer = await view();
    await example.prints(/^a viewer came$/m);
    viewer.socket.close();
    await example.prints(/^a viewer left$/m);
    const [, pid] = await example.prints(/^tail (\d+) began$/m);
    process.kill(Number(pid), "SIGKILL");
    await example.prints(new RegExp(`^tail ${pid!} ended: SIGKILL$`, "m"));
  });

  it("E-W1: many watch one file, and go on after a child was killed", async () => {
    await stream();
    const viewers = [await view(START), await view(START), await view(START)];
    for (const viewer of viewers) await has(viewer, lines(3, 12));
    const [, pid] = await example.prints(/^tail (\d+) began$/m);
    process.kill(Number(pid), "SIGKILL");
    appendFileSync(file, lines(13, 15));
    for (const viewer of viewers) await has(viewer, lines(3, 15));
  });

  it("E-W1: viewers that may not read are turned away, others have their token's rights", async () => {
    const rights = `({ token }, capability) => capability === "publish" || token === "viewer"`;
    await stream(await stage.embed(rights));
    expect(await (await view(START)).ended()).toMatchObject({ code: 4403 });
    const admitted = stage.socket(`${url}/?token=viewer`);
    admitted.socket.on("open", () => admitted.send(START));
    await until(() => logOf(admitted).endsWith("12\n"));
  });

  it("E-W2: one child serves all, starting twice gives nothing twice, and bad input harms nobody", async () => {
    await stream();
    const viewer = await view("{", "null", '{"msg":"stop"}', START, START);
    (await view(START)).socket.terminate();
    await has(viewer, lines(3, 12));
    const bytes = Buffer.from("é🎉\n");
    for (const byte of bytes) appendFileSync(file, Buffer.from([byte]));
    renameSync(file, `${file}.1`);
    writeFileSync(file, lines(13, 13));
    await has(viewer, `${lines(3, 12)}é🎉\n${lines(13, 13)}`);
    expect(example.out.match(/^tail \d+ began$/gm)).toHaveLength(1);
    const [, pid] = await example.prints(/^tail (\d+) began$/m);
    await example.end("SIGTERM");
    await until(() => {
      try {
        return !process.kill(Number(pid), 0);
      } catch {
        return true;
      }
    });
  });
});
