import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Closing } from "../../shared/protocol.ts";
import { Commands } from "../support/commands.ts";
import { Nodes } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { packageRoot } from "../support/run-node.ts";
import { until } from "../support/wait.ts";

let commands: Commands;
let nodes: Nodes;

beforeEach(() => {
  commands = new Commands();
  nodes = new Nodes();
});

afterEach(async () => {
  await nodes.close();
  await commands.close();
});

describe("roomcast serve", () => {
  test("says where it listens and what it keeps, and answers there", async () => {
    const hub = await commands.serve();
    expect(hub.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await hub.prints(/^the log is in memory and ends with this process$/m);
    expect((await fetch(`${hub.url}/healthz`)).status).toBe(200);
    expect(hub.err).toBe("");
  });

  test("says on standard error what the Redis it was given may lose, and works with it", async () => {
    const redis = await RedisServer.start();
    try {
      const hub = await commands.serve(["--redis-url", redis.url]);
      await hub.prints(/^the log is in Redis$/m);
      const warning = JSON.parse(hub.err) as unknown;
      expect(warning).toMatchObject({ level: 40, msg: expect.stringContaining("persistence is off") });
    } finally {
      await redis.stop();
    }
  });

  test.each(["SIGTERM", "SIGINT"] as const)("tells its clients on %s and ends with 0", async (signal) => {
    const hub = await commands.serve();
    const { socket } = await nodes.client(hub.url);
    const closings: Closing[] = [];
    socket.on("hub:closing", (closing: Closing) => closings.push(closing));
    const began = performance.now();
    expect(await hub.end(signal)).toEqual({ code: 0, signal: null });
    expect(performance.now() - began).toBeLessThan(5_000);
    await until(() => !socket.connected);
    expect(closings).toEqual([{ code: "shutdown", reconnect: true, delayMs: expect.any(Number) }]);
    expect(socket.active).toBe(true);
    expect(hub.err).toBe("");
  });

  /** Begins a request that the hub waits for, so that it can't stop. */
  async function holdUp(url: string): Promise<Socket> {
    const request = connect(Number(new URL(url).port), "127.0.0.1");
    request.on("error", () => {});
    await once(request, "connect");
    request.write("POST /rooms/chat:a/messages HTTP/1.1\r\nHost: localhost\r\n");
    request.write("Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    // It has begun to read the request when it asks for the body.
    await once(request, "data");
    return request;
  }

  test("ends at once on a second signal, whatever is still under way", async () => {
    const hub = await commands.serve();
    const request = await holdUp(hub.url);
    hub.signal("SIGTERM");
    await hub.prints(/^roomcast stops/m);
    const began = performance.now();
    await until(() => {
      hub.signal("SIGINT");
      return hub.process.exitCode !== null;
    });
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(await hub.exit()).toEqual({ code: 1, signal: null });
    request.destroy();
  });

  test("takes a signal that npm passes on, after the terminal's own, as one", async () => {
    const hub = await commands.serve();
    const request = await holdUp(hub.url);
    hub.signal("SIGINT");
    // Another one, since the system makes one of two pending signals of a kind.
    hub.signal("SIGTERM");
    await hub.prints(/^roomcast stops/m);
    const answered = text(request);
    request.write("{}");
    expect(await answered).toMatch(/^HTTP\/1\.1 400 /);
    expect(await hub.exit()).toEqual({ code: 0, signal: null });
  });

  test("takes its options from flags, the environment and a file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "roomcast-serve-"));
    const file = join(folder, "hub.json");
    const rooms = { "chat:*": { messages: 2, age: "5m" } };
    await writeFile(file, JSON.stringify({ rooms, host: "no.such.invalid", logLevel: "silent" }));
    try {
      const byFlag = await commands.serve(["--config", file, "--host", "127.0.0.1"], {
        env: { HOST: "::1" },
      });
      const byVariable = await commands.serve([], { env: { ROOMCAST_CONFIG: file, HOST: "localhost" } });
      expect(byFlag.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
      expect(byVariable.url).toMatch(/^http:\/\/localhost:/);
      for (const { url } of [byFlag, byVariable]) {
        const { options } = (await (await fetch(`${url}/rooms/chat:a`)).json()) as { options: unknown };
        expect(options).toMatchObject({ messages: 2 });
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("takes an empty ROOMCAST_CONFIG as none", async () => {
    await commands.serve([], { env: { ROOMCAST_CONFIG: "" } });
  });

  test("says that a port is taken, and what to do", async () => {
    const { port } = new URL((await commands.serve()).url);
    const { out, err, code } = await commands.run(["serve", "--port", port]);
    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err).toBe(
      `roomcast: listen EADDRINUSE: address already in use 127.0.0.1:${port}: take another --port, or 0 for a free one\n`,
    );
  });

  test.each([
    [
      "an address that does not exist",
      ["--open", "--host", "no.such.invalid"],
      /^roomcast: getaddrinfo .*\n$/,
    ],
    [
      "a Redis that does not answer",
      ["--redis-url", "redis://127.0.0.1:9"],
      /^roomcast: Redis .*ECONNREFUSED.*\n$/,
    ],
  ])("ends with 1 and one line for %s", async (_what, args, line) => {
    const { out, err, code } = await commands.run(["serve", "--port", "0", ...args]);
    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err).toMatch(line);
  });

  test.each(["0.0.0.0", "::"])("refuses to listen on %s for everyone, and says what to set", async (host) => {
    const { out, err, code } = await commands.run(["serve", "--port", "0", "--host", host]);
    expect({ out, code }).toEqual({ out: "", code: 78 });
    expect(err).toMatch(/^roomcast: .*other machines.*ROOMCAST_OPEN=1 \(--open\).*HOST=127\.0\.0\.1\n$/);
  });

  test("listens for everyone with --open, and warns", async () => {
    const hub = await commands.serve(["--host", "0.0.0.0", "--open"]);
    await hub.prints(/^WARNING: it is open: everyone /m);
    const { port } = new URL(hub.url);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  });

  test("lists every wrong option and ends with 78", async () => {
    const args = [
      "--port",
      "65536",
      "--host",
      "",
      "--redis-url",
      "x",
      "--origins",
      "https://a/b",
      "--config",
      "/none",
    ];
    const { out, err, code } = await commands.run(["serve", ...args], {
      env: { LOG_LEVEL: "loud", ROOMCAST_OPEN: "perhaps" },
    });
    expect({ out, code }).toEqual({ out: "", code: 78 });
    const [first, ...problems] = err.trimEnd().split("\n");
    expect(first).toBe("roomcast: the configuration is wrong:");
    expect(problems.map((line) => /^ {2}- ([^ ]+): /.exec(line)?.[1])).toEqual([
      "/none",
      "--port",
      "--host",
      "--redis-url",
      "--origins.0",
      "ROOMCAST_OPEN",
      "LOG_LEVEL",
    ]);
  });
});

const OPTIONS_OF: Readonly<Record<string, readonly string[]>> = {
  serve: [
    "--port",
    "--host",
    "--redis-url",
    "--bridge",
    "--store",
    "--data",
    "--durability",
    "--origins",
    "--open",
    "--fast-path",
    "--log-level",
    "--config",
  ],
  publish: ["--text", "--id", "--ephemeral", "--timeout", "--url", "--key", "--redis-url"],
  watch: ["--url", "--rewind", "--since", "--username", "--json"],
};

describe("the roomcast command", () => {
  test("names its commands with --help", async () => {
    const { out, err, code } = await commands.run(["--help"]);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    const named = [...out.matchAll(/^ {2}(\w+) .*\S$/gm)].map(([, name]) => name);
    expect(named).toEqual(expect.arrayContaining(Object.keys(OPTIONS_OF)));
  });

  test.each(Object.entries(OPTIONS_OF))(
    "%s --help names its options, each explained, with an example",
    async (name, options) => {
      const { out, err, code } = await commands.run([name, "--help"]);
      expect({ err, code }).toEqual({ err: "", code: 0 });
      expect([...out.matchAll(/^ {2}(--[\w-]+)(?: <[^>]+>)? {2,}\S/gm)].map(([, flag]) => flag)).toEqual(
        options,
      );
      expect(out).toMatch(/[Ee]xamples?:\n/);
      expect(out).toMatch(new RegExp(`^ {2}.*\\broomcast ${name}\\b`, "m"));
    },
  );

  test("says its version", async () => {
    const { out, code } = await commands.run(["--version"]);
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(code).toBe(0);
  });

  test.each([
    [["nope"], /^error: unknown command 'nope'$/m],
    [["serve", "--prot", "1"], /^error: unknown option '--prot'\n\(Did you mean --port\?\)$/m],
    [["serve", "now"], /^error: too many arguments/m],
    [["watch"], /^error: missing required argument 'room'$/m],
    [[], /^Usage: roomcast /],
  ])("ends %j with a fault and says why", async (args, line) => {
    const { out, err, code } = await commands.run(args);
    expect(out).toBe("");
    expect(err).toMatch(line);
    expect(code).toBeGreaterThan(0);
  });
});

describe("a checkout", () => {
  test("starts by npm start's script and stops cleanly on one signal", async () => {
    const script = join(packageRoot, "scripts/start.mjs");
    const hub = commands.start(["--port", "0"], { program: [process.execPath, script] });
    const [, url] = await hub.prints(/^roomcast listens on (\S+)$/m);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await hub.end("SIGTERM")).toEqual({ code: 0, signal: null });
  });

  test.each(["npm alone", "npm's process group"])("stops when %s gets SIGTERM", async (whom) => {
    const group = whom !== "npm alone";
    const npm = commands.start(["start", "--", "--port", "0"], { program: ["npm"], group });
    const [, url] = await npm.prints(/^roomcast listens on (\S+)$/m);
    await npm.end("SIGTERM");
    await npm.prints(/^roomcast stops/m);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  test("has all that its tests need, as npm run setup says", async () => {
    const script = join(packageRoot, "scripts/setup.mjs");
    const { out, err, code } = await commands.run([], { program: [process.execPath, script] });
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(out).toMatch(
      /^redis-server: \/.*\nchromium: \/.*\npython3: \/.*\npython-socketio: \/.*\nsetup: nothing to do\n$/,
    );
  });
});
