import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { Commands, type Command, type ServeCommand } from "../support/commands.ts";
import { entriesOf, untilHas } from "../support/log-room.ts";
import { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

const WRITER = fileURLToPath(new URL("../support/log-writer.mjs", import.meta.url));

let redis: RedisServer;
let hubs: Commands;
let hub: ServeCommand;
let commands: Commands;
let folder: string;
let log: string;
let state: string;

beforeAll(async () => {
  redis = await RedisServer.start();
  hubs = new Commands();
  hub = await hubs.serve(["--redis-url", redis.url]);
});

afterAll(async () => {
  await hubs.close();
  await redis.stop();
});

beforeEach(() => {
  commands = new Commands();
  folder = mkdtempSync(join(tmpdir(), "roomcast-tail-"));
  log = join(folder, "a.log");
  state = join(folder, "state.json");
});

afterEach(async () => {
  await commands.close();
  rmSync(folder, { recursive: true });
});

/** Starts `roomcast tail`; resolves when it follows. */
async function follow(room: string, ...args: readonly string[]): Promise<Command> {
  const command = commands.start(["tail", ...args, "--room", room, "--url", hub.url]);
  await command.prints(/to be seen at/, "err");
  return command;
}

function range(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i} é🎉`);
}

function write(from: number, to: number): void {
  appendFileSync(
    log,
    range(from, to)
      .map((line) => `${line}\n`)
      .join(""),
  );
}

async function messagesOf(room: string): Promise<string[]> {
  return (await entriesOf(hub.url, `stream:${room}`)).map(({ message }) => message);
}

describe("roomcast tail", () => {
  test("gives every line once of a log that another process writes and rotates ten times", async () => {
    const tailing = await follow("rotated", log);
    await tailing.prints(/is not there yet, waiting for it/, "err");
    const writing = commands.start([WRITER, log, "5500", "500"], { program: [process.execPath] });
    expect(await writing.exit()).toEqual({ code: 0, signal: null });
    expect(readFileSync(`${log}.10`, "utf8").split("\n")[0]).toBe(range(1, 1)[0]);
    await untilHas(hub.url, "stream:rotated", 5_500);
    expect(await messagesOf("rotated")).toEqual(range(1, 5_500));
    expect(await tailing.end("SIGINT")).toEqual({ code: 0, signal: null });
    const [entry] = await entriesOf(hub.url, "stream:rotated");
    expect(entry).toMatchObject({ program: "a.log", source: log, level: "INFO" });
  });

  test.each(["SIGINT", "SIGKILL"] as const)(
    "goes on after %s where the hub has it, with --state",
    async (signal) => {
      const room = `again-${signal}`;
      write(1, 300);
      const first = await follow(room, log, "--state", state, "--from-start");
      await untilHas(hub.url, `stream:${room}`, 300);
      const writing = commands.start([WRITER, log, "3000", "400"], { program: [process.execPath] });
      await untilHas(hub.url, `stream:${room}`, 600);
      await first.end(signal);
      expect(await writing.exit()).toEqual({ code: 0, signal: null });
      await follow(room, log, "--state", state);
      await untilHas(hub.url, `stream:${room}`, 3_300);
      expect(await messagesOf(room)).toEqual([...range(1, 300), ...range(1, 3_000)]);
    },
  );

  test("loses and doubles nothing while the hub is killed and comes back", async () => {
    const tailing = await follow("killed", log, "--from-start");
    write(1, 1_000);
    await untilHas(hub.url, "stream:killed", 100);
    const port = new URL(hub.url).port;
    await hub.end("SIGKILL");
    write(1_001, 2_000);
    await tailing.prints(/the hub is away/, "err");
    write(2_001, 3_000);
    hub = await hubs.serve(["--redis-url", redis.url, "--port", port]);
    await untilHas(hub.url, "stream:killed", 3_000);
    expect(await messagesOf("killed")).toEqual(range(1, 3_000));
    await tailing.prints(/the hub is back/, "err");
  }, 60_000);

  test("follows what a pattern matches, each under its name", async () => {
    writeFileSync(log, "");
    await follow("pattern", join(folder, "*.log"), "--program", "app");
    const other = join(folder, "b.log");
    await until(async () => {
      appendFileSync(log, "a\n");
      return (await messagesOf("pattern")).includes("a");
    });
    writeFileSync(other, "b\n");
    await until(async () => (await messagesOf("pattern")).includes("b"));
    const entries = await entriesOf(hub.url, "stream:pattern", other);
    expect(entries).toMatchObject([{ message: "b", program: "app", source: other }]);
  });

  test("refuses what is no regular file, and a state that is none", async () => {
    const fifo = join(folder, "fifo");
    spawnSync("sh", ["-c", 'mkfifo "$0"', fifo]);
    writeFileSync(state, "no state");
    const runs = [[fifo], [log, "--state", state]].map((args) =>
      commands.run(["tail", ...args, "--room", "x", "--url", hub.url]),
    );
    const [special, stale] = await Promise.all(runs);
    expect(special).toMatchObject({ out: "", code: 1 });
    expect(special!.err).toMatch(/^roomcast: .*fifo is no regular file: only those can be followed$/m);
    expect(stale).toMatchObject({ out: "", code: 1 });
    expect(stale!.err).toMatch(/^roomcast: .*state\.json is no state of roomcast tail: delete it .*\n$/);
  });
});
