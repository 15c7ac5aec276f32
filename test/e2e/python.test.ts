import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import type { Message } from "../../shared/message.ts";
import type { HistoryReply } from "../../shared/protocol.ts";
import { Commands, type Command } from "../support/commands.ts";
import { DataFolders } from "../support/data-folders.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { startPython } from "../support/python.ts";
import { freePort } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

const ENDED = { code: 0, signal: null };
const LOGGER = `
import logging, sys
from roomcast import RoomcastHandler
log = logging.getLogger("billing")
log.setLevel(logging.DEBUG)
`;

let commands: Commands;
let nodes: Nodes;
let folders: DataFolders;
let node: RunningNode;
let proxy: FaultProxy;

beforeEach(async () => {
  commands = new Commands();
  nodes = new Nodes();
  folders = new DataFolders();
  node = await nodes.start();
  proxy = await FaultProxy.start(Number(new URL(node.url).port));
});

afterEach(async () => {
  await commands.close();
  await proxy.close();
  await nodes.close();
  await folders.remove();
});

/** Runs a program against the hub behind the proxy. */
function python(code: string): Command {
  return startPython(commands, `http://127.0.0.1:${proxy.port}`, code);
}

async function messagesOf(room: string, url = node.url): Promise<readonly Message[]> {
  const response = await fetch(`${url}/rooms/${encodeURIComponent(room)}/messages?after=0&limit=300`);
  return ((await response.json()) as HistoryReply).messages;
}

async function entriesOf(room: string, url?: string): Promise<readonly string[]> {
  return (await messagesOf(room, url)).map(({ data }) => (data as { readonly message: string }).message);
}

/** Is a hub on disk, on one port, that can be killed and started again. */
class LastingHub {
  readonly #args: Promise<readonly string[]>;
  #command: (Command & { readonly url: string }) | undefined;

  constructor() {
    const data = join(folders.make(), "log");
    this.#args = freePort().then((port) => ["--port", String(port), "--store", "disk", "--data", data]);
  }

  async start(): Promise<string> {
    this.#command = await commands.serve(await this.#args);
    return this.#command.url;
  }

  async kill(): Promise<void> {
    await this.#command!.end("SIGKILL");
  }
}

describe("emit_to_room", () => {
  test("returns the position of a message that the hub has", async () => {
    const program = python(`
import json, roomcast
print(json.dumps(roomcast.emit_to_room("chat:python", "message", {"text": "h\\u00e9 \\U0001f40d"}, id="mine")))`);
    expect(await program.exit()).toEqual(ENDED);
    const [message] = await messagesOf("chat:python");
    const { room, id, epoch, offset } = message!;
    expect(JSON.parse(program.out)).toMatchObject({ room, id, epoch, offset, duplicate: false });
    expect(message).toMatchObject({ id: "mine", event: "message", data: { text: "hé 🐍" } });
  });

  test("stores a message once when its answer is lost and the hub starts again on its port", async () => {
    const hub = new LastingHub();
    const url = await hub.start();
    proxy.targetPort = Number(new URL(url).port);
    await proxy.set("lose");
    const program = python(`
import roomcast
print(roomcast.emit_to_room("stream:once", "log", {"message": "one"}, timeout=25)["duplicate"])`);
    await until(() => proxy.lost > 0);
    await hub.kill();
    await proxy.set("pass");
    await hub.start();
    expect(await program.exit()).toEqual(ENDED);
    expect(program.out).toBe("True\n");
    expect(await entriesOf("stream:once", url)).toEqual(["one"]);
  });

  test.each([
    ["the hub's refusal", `"lobby", "message", {}`, "bad_room"],
    ["data that is no JSON", `"chat:a", "message", float("nan")`, "bad_request"],
    ["a room that no URL can hold", `"chat:\\ud800", "message", {}`, "bad_request"],
    ["an address that is none", `"chat:a", "message", {}, url="ftp://hub"`, "bad_request"],
  ])("raises %s at once", async (_what, given, code) => {
    const program = python(`
import roomcast
try:
    roomcast.emit_to_room(${given}, timeout=600)
except roomcast.RoomcastError as error:
    print(error.code, error.retryable)`);
    expect(await program.exit()).toEqual(ENDED);
    expect(program.out).toBe(`${code} False\n`);
  });

  test("raises unavailable, with the id to try again with, when its time is up", async () => {
    await proxy.set("hang");
    const program = python(`
import roomcast, time
began = time.monotonic()
try:
    roomcast.emit_to_room("chat:a", "message", {}, id="mine", timeout=0.5)
except roomcast.RoomcastError as error:
    print(error.code, error.retryable, error.id, 0.3 < time.monotonic() - began < 5)`);
    expect(await program.exit()).toEqual(ENDED);
    expect(program.out).toBe("unavailable True mine True\n");
  });
});

describe("send_event", () => {
  test("sends into the stream that a channel names, dates and decimals as text", async () => {
    const program = python(`
import datetime, decimal, roomcast
data = {"day": datetime.date(2026, 11, 21), "sum": decimal.Decimal("1.50")}
roomcast.send_event("orders", "paid", data)
roomcast.send_event("user:7", "paid", 7)`);
    expect(await program.exit()).toEqual(ENDED);
    expect(await messagesOf("stream:orders")).toMatchObject([
      { event: "paid", data: { day: "2026-11-21", sum: "1.50" } },
    ]);
    expect(await messagesOf("user:7")).toMatchObject([{ event: "paid", data: 7 }]);
  });
});

describe("RoomcastHandler", () => {
  test("makes entries as a log's page shows them, an exception in the message", async () => {
    const began = Date.now();
    const program = python(`${LOGGER}
log.addHandler(RoomcastHandler("entries"))
log.warning("card %s declined", 7)
try:
    1 / 0
except ZeroDivisionError:
    log.exception("no sum")`);
    expect(await program.exit()).toEqual(ENDED);
    expect(program.err).toBe("");
    const messages = await messagesOf("stream:entries");
    const timestamp: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const traceback: unknown = expect.stringMatching(/^no sum\nTraceback [^]*\nZeroDivisionError: /);
    expect(messages.map(({ event, data }) => [event, data])).toEqual([
      ["log", { message: "card 7 declined", level: "WARNING", program: "billing", timestamp }],
      ["log", { message: traceback, level: "ERROR", program: "billing", timestamp }],
    ]);
    const [first] = messages as readonly { readonly data: { readonly timestamp: string } }[];
    expect(Math.abs(Date.parse(first!.data.timestamp) - began)).toBeLessThan(30_000);
  });

  test("sends all that waits when the program ends, in order and over one connection", async () => {
    const program = python(`${LOGGER}
log.addHandler(RoomcastHandler("end"))
for i in range(250):
    log.info("%d", i)`);
    expect(await program.exit()).toEqual(ENDED);
    expect(await entriesOf("stream:end")).toEqual(Array.from({ length: 250 }, (_, i) => String(i)));
    expect(proxy.accepted).toBe(1);
  });

  test("loses and doubles nothing while answers get lost and the hub starts again", async () => {
    const hub = new LastingHub();
    const url = await hub.start();
    proxy.targetPort = Number(new URL(url).port);
    await proxy.set("lose");
    const program = python(`${LOGGER}
import time
handler = RoomcastHandler("restart", timeout=25)
log.addHandler(handler)
for i in range(40):
    log.info("%d", i)
    time.sleep(0.01)`);
    await until(() => proxy.lost > 0);
    await hub.kill();
    await proxy.set("pass");
    await hub.start();
    expect(await program.exit()).toEqual(ENDED);
    expect(await entriesOf("stream:restart", url)).toEqual(Array.from({ length: 40 }, (_, i) => String(i)));
    expect(program.err).toMatch(/^roomcast: log entries wait \(unavailable: /);
  });

  test.each([
    ["oldest", ["first", "7 log entries dropped", "8", "9", "10"]],
    ["newest", ["first", "1", "2", "3", "7 log entries dropped"]],
  ])("drops the %s of more than it may keep, and says how many in their place", async (drop, entries) => {
    await proxy.set("refuse");
    const program = python(`${LOGGER}
log.addHandler(RoomcastHandler("full", capacity=4, drop="${drop}", timeout=20))
log.info("first")
sys.stdin.readline()
for i in range(10):
    log.info("%d", i + 1)
print("logged", flush=True)`);
    await program.prints(/log entries wait/, "err");
    program.process.stdin!.end("go on\n");
    await program.prints(/logged/);
    await proxy.set("pass");
    expect(await program.exit()).toEqual(ENDED);
    expect(await entriesOf("stream:full")).toEqual(entries);
    const told = (await messagesOf("stream:full")).find(({ data }) =>
      JSON.stringify(data).includes("dropped"),
    );
    expect(told!.data).toMatchObject({ level: "WARNING", program: "roomcast" });
  });

  test("says at the end how much may not have arrived, and does not wait longer than it may", async () => {
    await proxy.set("hang");
    const program = python(`${LOGGER}
log.addHandler(RoomcastHandler("away", timeout=0.5))
for i in range(3):
    log.info("%d", i)`);
    expect(await program.exit()).toEqual(ENDED);
    expect(program.err).toMatch(/roomcast: 3 log entries may not have arrived/);
  });

  test("says what the hub refuses, and goes on", async () => {
    const program = python(`${LOGGER}
log.addHandler(RoomcastHandler("bad name!"))
for i in range(3):
    log.info("%d", i)
    log.handlers[0].flush()`);
    expect(await program.exit()).toEqual(ENDED);
    expect(program.err).toMatch(/^roomcast: 1 log entries were refused \(bad_room: [^\n]*\)\n$/);
  });

  test("cuts a message of more than 64 KiB, and says how long it was", async () => {
    const program = python(`${LOGGER}
log.addHandler(RoomcastHandler("long"))
log.info('"\\u00e9' * 50_000)
log.info("next")`);
    expect(await program.exit()).toEqual(ENDED);
    const [long, next] = await entriesOf("stream:long");
    expect(/^("é){15000,}"? … \[cut, 150000 bytes\]$/.test(long!)).toBe(true);
    expect(next).toBe("next");
  });

  test("sends what a forked process logs, and what was logged before it once", async () => {
    const program = python(`${LOGGER}
import os
log.addHandler(RoomcastHandler("fork"))
log.info("before")
child = os.fork()
if child == 0:
    log.info("child")
    logging.shutdown()
    os._exit(0)
os.waitpid(child, 0)
log.info("after")`);
    expect(await program.exit()).toEqual(ENDED);
    expect((await entriesOf("stream:fork")).toSorted()).toEqual(["after", "before", "child"]);
  });
});
