import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { Commands } from "../support/commands.ts";
import { Nodes, type RunningNode, type StockClient } from "../support/nodes.ts";
import { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
let commands: Commands;
let redis: RedisServer;
let node: RunningNode;

beforeAll(async () => {
  redis = await RedisServer.start();
});
beforeEach(async () => {
  commands = new Commands();
  node = await nodes.start({ redisUrl: redis.url });
});
afterEach(async () => {
  await commands.close();
  await nodes.close();
});
afterAll(() => redis.stop());

/** What a client hears, in short: `live make`, or the message of a line. */
function heard({ messages }: StockClient): string[] {
  return messages.map(({ event, data }) => {
    const { program, state, message } = data as { program: string; state?: string; message?: string };
    return event === "source" ? `${state} ${program}` : (message ?? event);
  });
}

describe.each(["HTTP", "Redis"] as const)("the signs of life of a source over %s", (way) => {
  const room = `stream:beats-${way.toLowerCase()}`;
  const to = (): string[] => [
    "--room",
    room,
    ...(way === "HTTP" ? ["--url", node.url] : ["--redis-url", redis.url]),
  ];

  test("say that it is live before its lines, that it has ended after them, and are not kept", async () => {
    const client = await nodes.client(node.url);
    await client.join(room);
    const pipe = commands.start(["pipe", ...to(), "--program", "make"]);
    await until(() => heard(client).includes("live make"), 20_000);
    pipe.process.stdin!.end("one\ntwo\n");
    expect(await pipe.exit()).toEqual({ code: 0, signal: null });
    await until(() => heard(client).includes("ended make"));
    expect(heard(client).filter((one) => one !== "live make")).toEqual(["one", "two", "ended make"]);
    expect(client.messages.filter(({ event }) => event === "source")[0]!.meta).toMatchObject({
      ephemeral: true,
    });
    const reader = await nodes.client(node.url);
    expect(await reader.join(room, { rewind: 100 })).toMatchObject({ replayed: 2 });
  });

  test("come again and again, and end with a command that fails as well", async () => {
    const client = await nodes.client(node.url);
    await client.join(room);
    const run = commands.start(["run", ...to(), "--program", "fails", "--", "sh", "-c", "cat; exit 3"]);
    await until(() => heard(client).filter((one) => one === "live fails").length >= 2, 20_000);
    run.process.stdin!.end();
    expect(await run.exit()).toEqual({ code: 3, signal: null });
    await until(() => heard(client).includes("ended fails"));
    expect(heard(client).slice(-2)).toEqual(["exit", "ended fails"]);
  });
});

test("a command that can't be run, or is refused, gives no sign of life", async () => {
  const client = await nodes.client(node.url);
  await client.join("stream:none");
  const args = ["run", "--room", "none", "--url", node.url, "--"];
  expect(await commands.start([...args, "no-such-command"]).exit()).toEqual({ code: 127, signal: null });
  await node.hub.publish("stream:none", "log", { message: "last" });
  await until(() => client.messages.length > 0);
  expect(heard(client)).toEqual(["last"]);
});

test("watch shows lines and no signs of life, unless it is read by a program", async () => {
  const watches = [[], ["--json"]].map((flags) =>
    commands.start(["watch", "stream:x", "--url", node.url, ...flags]),
  );
  await Promise.all(watches.map((watch) => watch.prints(/watching stream:x/, "err")));
  const sender = await nodes.client(node.url);
  const sign = { room: "stream:x", event: "source", data: { program: "p", state: "live" }, ephemeral: true };
  await sender.ask("publish", sign);
  await node.hub.publish("stream:x", "log", { message: "a line", level: "INFO", program: "p" });
  await Promise.all(watches.map((watch) => watch.prints(/a line/)));
  expect(watches.map(({ lines }) => lines.length)).toEqual([1, 2]);
});
