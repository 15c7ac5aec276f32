import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { until } from "../support/wait.ts";
import { numbers, Stage } from "./support/stage.ts";

let stage: Stage;
let url: string;

beforeEach(async () => {
  stage = new Stage();
  ({ url } = await stage.serve());
});
afterEach(() => stage.close());

describe("where django-eventstream loses events or says nothing", () => {
  it("D-W1: a reader that stops for a while misses nothing", async () => {
    const stream = await stage.opened(`${url}/events/a/`);
    stream.command.signal("SIGSTOP");
    await stage.publishNumbers(url, "a", 1, 500);
    stream.command.signal("SIGCONT");
    await stream.got("message", 500);
    expect(stream.data("message")).toEqual(numbers(1, 500));
  });

  it("D-W1: a reader for whom too much waits is cut off, and goes on after its last event", async () => {
    const slow = await stage.opened(`${url}/events/a/`);
    slow.command.signal("SIGSTOP");
    await stage.flood(url, "stream:a");
    await until(async () => (await stage.connections(url, "stream:a")) === 0);
    slow.command.signal("SIGCONT");
    await slow.command.exit();
    const { id } = slow.events.findLast((event) => event.id !== undefined)!;
    const before = slow.events.filter(({ event }) => event === "message").length;
    await stage.publish(url, "stream:a", "end", null);
    const next = stage.stream(`${url}/events/a/`, "-H", `Last-Event-ID: ${id!}`);
    await until(() => next.body.includes("\nevent: end\n"));
    expect(before).toBeLessThan(320);
    expect(next.data("message")).toHaveLength(320 - before);
    expect(next.data("stream-reset")).toEqual([]);
  });

  it("D-W2: a reader that was cut before its first event goes on from stream-open", async () => {
    const stream = stage.stream(`${url}/events/a/`);
    const { id } = await stream.got("stream-open");
    await stream.cut();
    await stage.publishNumbers(url, "a", 1, 2);
    const next = stage.stream(`${url}/events/a/`, "-H", `Last-Event-ID: ${id!}`);
    await next.got("message", 2);
    expect(next.data("message")).toEqual([1, 2]);
  });

  it("D-W3: events that are kept no longer are announced", async () => {
    const start = await stage.position(url, "a");
    await stage.publishNumbers(url, "a", 1, 2);
    await stage.curl("-X", "DELETE", `${url}/rooms/stream%3Aa/messages`);
    const stream = stage.stream(`${url}/events/a/?lastEventId=${start}`);
    await stream.got("stream-reset");
    expect(stream.data("stream-reset")).toEqual([{ channels: ["a"], reason: "trimmed" }]);
  });

  it("D-W4: a stream goes on after its hub's connection to Redis was lost, with what was sent meanwhile", async () => {
    const redis = await stage.redis();
    ({ url } = await stage.serve("--redis-url", redis.url));
    const stream = await stage.opened(`${url}/events/a/`);
    for (const n of [0, 1, 2]) {
      await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
      await stage.publishNumbers(url, "a", n * 10 + 1, n * 10 + 10);
    }
    await stream.got("message", 30);
    expect(stream.data("message")).toEqual(numbers(1, 30));
  });

  it("D-W6: an id of which only a part makes sense is refused without breaking the stream", async () => {
    const stream = stage.stream(`${url}/events/a/?lastEventId=a:abc`);
    await stream.got("stream-error");
    expect(stream.data("stream-error")).toMatchObject([{ condition: "bad-request" }]);
  });

  it("D-W7: one process is enough, publishing is HTTP, and a stream can choose its events", async () => {
    const stream = await stage.opened(`${url}/events/a/?event=wanted`);
    await stage.publish(url, "stream:a", "other", 1);
    await stage.publish(url, "stream:a", "wanted", 2);
    await stream.got("wanted");
    expect([stream.data("other"), stream.data("wanted")]).toEqual([[], [2]]);
    expect(stream.body).toMatch(/^retry: \d+$/m);
  });

  it("D-W8: an event that is published while a reader catches up comes once", async () => {
    const start = await stage.position(url, "a");
    const streams = numbers(1, 5).map(() => stage.stream(`${url}/events/a/?lastEventId=${start}`));
    await Promise.all([
      stage.publishNumbers(url, "a", 1, 100),
      ...streams.map((stream) => stream.got("message", 100)),
    ]);
    await stage.publishNumbers(url, "a", 101, 101);
    for (const stream of streams) {
      await stream.got("message", 101);
      expect(stream.data("message")).toEqual(numbers(1, 101));
    }
  });
});
