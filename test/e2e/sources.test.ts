import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { Commands, type Command, type ServeCommand } from "../support/commands.ts";
import { entriesOf, historyOf, untilHas } from "../support/log-room.ts";
import { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

const NOISY = [
  process.execPath,
  fileURLToPath(new URL("../support/noisy-program.mjs", import.meta.url)),
] as const;
const LINES = 20_000;

let folder: string;
let config: string;
let redis: RedisServer;
let commands: Commands;
let hubs: Commands;
let hub: ServeCommand;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "roomcast-sources-"));
  config = join(folder, "config.json");
  writeFileSync(config, '{"rooms":{"stream:*":{"messages":100000,"age":"1h"}}}');
  redis = await RedisServer.start();
  hubs = new Commands();
  hub = await hubs.serve(["--config", config, "--redis-url", redis.url]);
});

afterAll(async () => {
  await hubs.close();
  await redis.stop();
  rmSync(folder, { recursive: true });
});

beforeEach(() => {
  commands = new Commands();
});

afterEach(() => commands.close());

function run(room: string, command: readonly string[], ...flags: readonly string[]): Command {
  return commands.start(["run", "--room", room, "--url", hub.url, ...flags, "--", ...command]);
}

/** The lines of the noisy program on one of its outputs, as they should be in the room. */
function expected(source: "stdout" | "stderr"): string[] {
  const numbers = Array.from({ length: LINES / 2 }, (_, i) => i * 2 + (source === "stdout" ? 1 : 2));
  return numbers.map((n) => (n === 1002 ? "1002 broken \ufffd\ufffd" : `${n} \u001b[3${n % 8}mé🎉\u001b[0m`));
}

async function expectAll(room: string): Promise<void> {
  const messages = await historyOf(hub.url, room);
  expect(messages).toHaveLength(LINES + 1);
  expect(messages.at(-1)).toMatchObject({ event: "exit", data: { code: 3, signal: null } });
  const out = (await entriesOf(hub.url, room, "stdout")).map(({ message }) => message);
  const [long] = out.splice(500, 1);
  expect(out).toEqual(expected("stdout").toSpliced(500, 1));
  expect((await entriesOf(hub.url, room, "stderr")).map(({ message }) => message)).toEqual(
    expected("stderr"),
  );
  expect(long).toMatch(/^1001 x{65000,} … \[cut, 204800 bytes\]$/);
}

describe("roomcast run", () => {
  test("sends 20,000 lines of both outputs, each in order, and the exit", async () => {
    const running = run("stream:noisy", [...NOISY, String(LINES)], "--program", "noisy");
    running.process.stdin!.end();
    expect(await running.exit()).toEqual({ code: 3, signal: null });
    await expectAll("stream:noisy");
    // The terminal got the same bytes, the line without an end included.
    expect(running.out.split("\n")).toHaveLength(LINES / 2);
    expect(running.err).toMatch(/\u001b\[3\dm/);
    const [entry] = await entriesOf(hub.url, "stream:noisy");
    expect(entry).toMatchObject({ level: "INFO", program: "noisy", timestamp: expect.stringMatching(/Z$/) });
  });

  test("loses and doubles nothing when the hub is killed in the middle and comes back", async () => {
    const running = run("stream:killed", [...NOISY, String(LINES), "500"], "--quiet");
    const more = (): unknown => running.process.stdin!.write("\n");
    for (let i = 0; i < 8; i += 1) more();
    await untilHas(hub.url, "stream:killed", 500);
    const port = new URL(hub.url).port;
    await hub.end("SIGKILL");
    for (let i = 0; i < 20; i += 1) more();
    await running.prints(/the hub is away/, "err");
    for (let i = 0; i < 4; i += 1) more();
    hub = await hubs.serve(["--config", config, "--redis-url", redis.url, "--port", port]);
    await running.prints(/the hub is back/, "err");
    running.process.stdin!.end();
    expect(await running.exit()).toEqual({ code: 3, signal: null });
    await expectAll("stream:killed");
    expect(running.err.match(/the hub is (away|back)/g)).toEqual(["the hub is away", "the hub is back"]);
    expect(running.out).toBe("");
  }, 60_000);

  test("makes a stream of its own, and says where it can be seen", async () => {
    const { out, err, code } = await commands.run(["run", "--url", hub.url, "--", "echo", "hi"]);
    expect({ out, code }).toEqual({ out: "hi\n", code: 0 });
    const [, room, id] = /^roomcast: stream:(echo-\w+), to be seen at http:\S+\/stream\/(\S+)\n$/.exec(err)!;
    expect(id).toBe(room);
    expect(await historyOf(hub.url, `stream:${room}`)).toMatchObject([
      { event: "log", data: { message: "hi", source: "stdout", program: "echo" } },
      { event: "exit", data: { program: "echo", code: 0, signal: null } },
    ]);
  });

  test.each([
    [["sh", "-c", "exit 42"], 42, { code: 42, signal: null }],
    [["sh", "-c", "kill -9 $$"], 137, { code: null, signal: "SIGKILL" }],
  ])("ends as %j does, with %d", async (command, code, data) => {
    const room = `stream:ends-${code}`;
    expect(await run(room, command).exit()).toEqual({ code, signal: null });
    expect(await historyOf(hub.url, room)).toMatchObject([{ event: "exit", data }]);
  });

  test.each([
    ["no-such-command", 127, "no-such-command: command not found"],
    ["/etc/passwd", 126, "/etc/passwd: permission denied"],
  ])("says that %s can't be run, and ends with %d", async (file, code, text) => {
    const running = run("stream:none", [file]);
    expect(await running.exit()).toEqual({ code, signal: null });
    expect(running.err).toBe(`roomcast: ${text}\n`);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("passes %s on to the command and what that started", async (signal, code) => {
    const room = `stream:${signal}`;
    const script =
      "sh -c 'trap \"echo inner; exit 0\" INT TERM HUP; echo ready; while :; do sleep 0.05; done'";
    const running = run(room, ["sh", "-c", `${script}; echo never`]);
    await running.prints(/^ready$/m);
    expect(await running.end(signal)).toEqual({ code, signal: null });
    // The shell tells on its standard error of the sleep that the signal ended.
    const printed = (await entriesOf(hub.url, room, "stdout")).map(({ message }) => message);
    expect(printed).toEqual(["ready", "inner"]);
    expect((await historyOf(hub.url, room)).at(-1)).toMatchObject({ data: { code: null, signal } });
  });

  test("lets the command decide what a signal does", async () => {
    const script = 'trap "echo trapped; exit 7" INT; echo ready; while :; do sleep 0.05; done';
    const running = run("stream:trap", ["sh", "-c", script]);
    await running.prints(/^ready$/m);
    expect(await running.end("SIGINT")).toEqual({ code: 7, signal: null });
    expect((await entriesOf(hub.url, "stream:trap")).at(-1)).toMatchObject({ message: "trapped" });
  });

  test("does not wait for what the command leaves running with its output", async () => {
    const running = run("stream:left", ["sh", "-c", "sleep 60 & echo $!"]);
    expect(await running.exit()).toEqual({ code: 0, signal: null });
    process.kill(Number(running.out));
    expect(await historyOf(hub.url, "stream:left")).toMatchObject([{ event: "log" }, { event: "exit" }]);
  });

  test("runs the command also when the hub refuses the lines, and says so once", async () => {
    const url = `${hub.url}/nothing-here`;
    const running = commands.start([
      "run",
      "--room",
      "x",
      "--url",
      url,
      "--",
      "sh",
      "-c",
      "echo a; sleep 0.5; echo b; exit 5",
    ]);
    expect(await running.exit()).toEqual({ code: 5, signal: null });
    expect(running.out).toBe("a\nb\n");
    expect(running.err.match(/^roomcast: not_found: /gm)).toHaveLength(1);
  });

  test("gives up at a signal when the command has ended and the hub is away", async () => {
    const running = commands.start(["run", "--room", "x", "--url", "http://127.0.0.1:9", "--", "echo", "a"]);
    await running.prints(/the hub is away/, "err");
    expect(await running.end("SIGINT")).toEqual({ code: 0, signal: null });
    expect(running.err).toMatch(/^roomcast: 2 entries are lost/m);
  });
});

describe("roomcast pipe", () => {
  test("sends the lines of standard input, straight to Redis as well", async () => {
    const input = "one\nERROR two\nlast";
    const http = await commands.run(["pipe", "--room", "piped", "--url", hub.url], { input });
    const direct = await commands.run(["pipe", "--room", "piped", "--redis-url", redis.url], { input });
    expect([http.code, direct.code, http.out]).toEqual([0, 0, ""]);
    const entries = await entriesOf(hub.url, "stream:piped");
    expect(entries.map(({ message, level }) => `${level} ${message}`)).toEqual([
      "INFO one",
      "ERROR ERROR two",
      "INFO last",
      "INFO one",
      "ERROR ERROR two",
      "INFO last",
    ]);
    expect(entries[0]).toMatchObject({ program: "pipe" });
  });

  test("sends what has come and ends cleanly at SIGINT", async () => {
    const piping = commands.start(["pipe", "--room", "stopped", "--program", "p", "--url", hub.url]);
    piping.process.stdin!.write("one\ntwo with no end");
    await untilHas(hub.url, "stream:stopped", 1);
    expect(await piping.end("SIGINT")).toEqual({ code: 0, signal: null });
    await until(async () => (await entriesOf(hub.url, "stream:stopped")).length === 2);
  });

  test("ends with 1 and the reason when the hub refuses it", async () => {
    const piping = commands.start(["pipe", "--room", "x", "--url", `${hub.url}/nothing-here`]);
    piping.process.stdin!.write("one\n");
    expect(await piping.exit()).toEqual({ code: 1, signal: null });
    expect(piping.err).toMatch(/^roomcast: not_found: /m);
  });
});

describe("every source", () => {
  test.each(["run", "pipe", "tail"])(
    "%s explains its flags and shows two examples with --help",
    async (name) => {
      const { out, code } = await commands.run([name, "--help"]);
      expect(code).toBe(0);
      expect(out).toMatch(
        /--room <room> .*--program <name> .*--url <url> .*--key <key> .*--redis-url <url> /s,
      );
      expect(out.match(/^ {2}.*roomcast (run|pipe|tail) .*$/gm)!.length).toBeGreaterThanOrEqual(2);
    },
  );

  test.each([
    ["run", ["--room", "a b", "--", "true"], /^roomcast: bad_room: /],
    ["pipe", ["--room", "x", "--url", "ftp://x"], /^roomcast: bad_request: url /],
    ["tail", ["x", "--room", "Chat:x"], /^roomcast: bad_room: /],
  ])("%s %j ends with 1 and one line", async (name, args, line) => {
    const { out, err, code } = await commands.run([name, ...args]);
    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err).toMatch(line);
    expect(err.trimEnd()).not.toContain("\n");
  });
});
