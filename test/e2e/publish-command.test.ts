import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { readLog } from "../support/log-reader.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { runNode, type Run, type Variables } from "../support/run-node.ts";

const nodes = new Nodes();
let redis: RedisServer;
let node: RunningNode;

beforeAll(async () => {
  redis = await RedisServer.start();
  node = await nodes.start({ redisUrl: redis.url });
});

afterAll(async () => {
  await nodes.close();
  await redis.stop();
});

function publish(args: readonly string[], input = "", env: Variables = {}): Promise<Run> {
  const variables = { ROOMCAST_URL: node.url, ...env };
  return runNode(["dist/server/cli/main.js", "publish", ...args], { input, env: variables });
}

describe("roomcast publish", () => {
  test("prints the position as one line of JSON", async () => {
    const { out, err, code } = await publish(["chat:cli", "message", '{"text":"hello"}', "--id", "mine"]);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(out).toMatch(/^\{.*\}\n$/);
    expect(JSON.parse(out)).toMatchObject({ room: "chat:cli", id: "mine", offset: 1, duplicate: false });
    expect(await readLog(redis.url, "chat:cli")).toMatchObject([
      { event: "message", data: { text: "hello" } },
    ]);
  });

  test.each([
    ["standard input", ["stream:stdin", "n"], '{"a":\n1}\n', { a: 1 }],
    ["standard input by -", ["stream:dash", "n", "-"], "[1]", [1]],
    ["text", ["stream:text", "n", "--text", "{not json"], "", "{not json"],
    ["text from standard input, less its last line end", ["stream:tail", "n", "--text"], "a\nb\n", "a\nb"],
    ["the argument, for a bare name's stream", ["bare", "n", "7"], "", 7],
  ])("takes the data from %s", async (_from, args, input, data) => {
    const { out, code } = await publish(args, input);
    expect(code).toBe(0);
    const { room } = JSON.parse(out) as { room: string };
    expect(await readLog(redis.url, room)).toMatchObject([{ data }]);
  });

  test("publishes straight to Redis with --redis-url, and keeps no --ephemeral message", async () => {
    const args = ["chat:direct", "typing", "null", "--ephemeral", "--redis-url", redis.url];
    const { out, err, code } = await publish(args, "", { ROOMCAST_URL: "" });
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(JSON.parse(out)).toMatchObject({ room: "chat:direct", ephemeral: true });
    expect(await readLog(redis.url, "chat:direct")).toEqual([]);
  });

  test("says of a second message with the same id that it is the first", async () => {
    const args = ["chat:twice", "message", '{"text":"once"}', "--id", "build-42.done"];
    const [first, second] = [await publish(args), await publish(args)];
    expect(JSON.parse(second.out)).toEqual({ ...JSON.parse(first.out), duplicate: true });
    expect(second.code).toBe(0);
    const other = await publish([...args.slice(0, 2), "{}", ...args.slice(3)]);
    expect(other).toMatchObject({ out: "", code: 1 });
    expect(other.err).toMatch(/^roomcast: id_reused: /);
    expect(await readLog(redis.url, "chat:twice")).toHaveLength(1);
  });

  test("gives up within its --timeout where a hub hangs, and names the id to try again with", async () => {
    const hanging = await FaultProxy.start(Number(new URL(node.url).port));
    await hanging.set("hang");
    const url = `http://127.0.0.1:${hanging.port}`;
    const began = performance.now();
    const args = ["chat:late", "n", "1", "--id", "mine", "--timeout", "300"];
    const { out, err, code } = await publish(args, "", { ROOMCAST_URL: url });
    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err).toMatch(/^roomcast: unavailable: .*\bmine\b.*\n$/);
    // Most of it goes to the start of a process.
    expect(performance.now() - began).toBeLessThan(5_000);
    await hanging.close();
  });

  test.each([
    [["chat:a b", "n", "1"], 1, /^roomcast: bad_room: /],
    [["chat:a", "n", "1", "--url", "ftp://x"], 1, /^roomcast: bad_request: url .*http:\/\/127\.0\.0\.1:3000/],
    [["chat:a", "n", "1", "--redis-url", "x"], 1, /^roomcast: bad_request: redisUrl .*redis:\/\/host:6379/],
    [
      ["chat:a", "n", "1", "--url", "http://127.0.0.1:9", "--timeout", "100"],
      1,
      /^roomcast: unavailable: .*--url or ROOMCAST_URL/,
    ],
    [["chat:a", "n", "{bad"], 2, /^roomcast: the data from the argument is no JSON .*--text$/],
    [["chat:a", "n"], 2, /^roomcast: the data from standard input is no JSON /],
    [["chat:a"], 2, /^error: missing required argument 'event'$/],
    [["chat:a", "n", "1", "--wrong"], 2, /^error: unknown option '--wrong'$/],
    [["chat:a", "n", "1", "--timeout", "0"], 2, /^error: .*milliseconds, such as 5000/],
  ])("%j ends with %d and one line that says why", async (args, code, line) => {
    const run = await publish(args);
    expect({ out: run.out, code: run.code }).toEqual({ out: "", code });
    expect(run.err.trimEnd()).toMatch(line);
    expect(run.err.trimEnd()).not.toContain("\n");
  });

  test("shows two examples with --help", async () => {
    const { out, code } = await publish(["--help"]);
    expect(code).toBe(0);
    expect(out.match(/^ {2}.*roomcast publish /gm)).toHaveLength(2);
  });
});
