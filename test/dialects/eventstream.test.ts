import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { EventSource } from "eventsource";
import reconnecting from "reconnecting-eventsource";
import { until } from "../support/wait.ts";
import { Stage } from "./support/stage.ts";

// Its types are those of its CommonJS build.
const ReconnectingEventSource = reconnecting as unknown as typeof reconnecting.default;

let stage: Stage;
let url: string;

beforeEach(async () => {
  stage = new Stage();
  ({ url } = await stage.serve());
});
afterEach(() => stage.close());

function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Publishes numbers into a stream as one request. */
async function publish(room: string, first: number, last: number): Promise<void> {
  const lines = numbers(first, last).map((n) => JSON.stringify({ event: "message", data: n }));
  const type = ["-H", "content-type: application/x-ndjson"];
  const address = `${url}/rooms/stream%3A${room}/messages`;
  const { status } = await stage.curl(address, ...type, "--data-binary", lines.join("\n"));
  expect(status).toBe(201);
}

async function position(...rooms: readonly string[]): Promise<string> {
  const query = rooms.map((room) => `room=${room}`).join("&");
  return ((await stage.get(`${url}/events/position?${query}`)) as { cursor: string }).cursor;
}

describe("django-eventstream", () => {
  it("D1: a stream has the headers that proxies need, also where it says no", async () => {
    for (const path of ["/events/a/", "/events/"]) {
      const stream = stage.stream(url + path);
      await until(() => stream.head !== "");
      expect(stream.head).toMatch(/^HTTP\/1.1 200/);
      expect(stream.head).toMatch(/^content-type: text\/event-stream\r$/im);
      expect(stream.head).toMatch(/^cache-control: no-cache\b/im);
      expect(stream.head).toMatch(/^x-accel-buffering: no\r$/im);
    }
  });

  it("D2: a stream begins with 2 kB of padding and one stream-open", async () => {
    const stream = stage.stream(`${url}/events/a/`);
    await stream.got("stream-open");
    await publish("a", 1, 1);
    await stream.got("message");
    expect(stream.body.startsWith(`:${" ".repeat(2048)}\n\nevent: stream-open\n`)).toBe(true);
    expect(stream.events.filter(({ event }) => event === "stream-open")).toHaveLength(1);
  });

  it("D3: line ends in data never make a field", async () => {
    const stream = stage.stream(`${url}/events/a/`);
    await stream.got("stream-open");
    const text = "1\r2\n3\r\n4\0\u2028event: evil";
    await stage.publish(url, "stream:a", "note", text);
    await stream.got("note");
    expect(stream.data("note")).toEqual([text]);
    expect(stream.body).toMatch(/\nevent: note\nid: \S+\ndata: [^\n]*\n\n/);
  });

  it("D4: data is JSON", async () => {
    const stream = stage.stream(`${url}/events/a/`);
    await stream.got("stream-open");
    await stage.publish(url, "stream:a", "message", { text: "é", n: [1.5, null] });
    expect((await stream.got("message")).data).toBe('{"text":"é","n":[1.5,null]}');
  });

  it("D5: an idle stream has a keep-alive event without an id after 20 seconds", async () => {
    const stream = stage.stream(`${url}/events/a/`);
    await until(() => stream.events.length === 2, 30_000, 100);
    expect(stream.events[1]).toMatchObject({ event: "keep-alive", data: "", id: undefined });
  }, 60_000);

  it("D6: an event's id is where the stream stands in all of its channels", async () => {
    const stream = stage.stream(`${url}/events/?channel=a&channel=b`);
    await stream.got("stream-open");
    await publish("a", 1, 2);
    await stream.got("message", 2);
    await publish("b", 1, 1);
    const { id } = await stream.got("message", 3);
    expect(id).toMatch(/^stream%3Aa=\w+\.2\.[\w-]+,stream%3Ab=\w+\.1\.[\w-]+$/);
  });

  it("D7: the channels are those of the path, or else those of the query", async () => {
    const fixed = stage.stream(`${url}/events/a/?channel=b`);
    const free = stage.stream(`${url}/events/?channel=a&channel=b`);
    await Promise.all([fixed.got("stream-open"), free.got("stream-open")]);
    await publish("b", 1, 1);
    await free.got("message");
    await publish("a", 2, 2);
    await Promise.all([fixed.got("message"), free.got("message", 2)]);
    expect([fixed.data("message"), free.data("message")]).toEqual([[2], [1, 2]]);
  });

  it("D8: a stream of no channel, or of more than ten, is refused in its own words", async () => {
    const none = stage.stream(`${url}/events/`);
    const many = stage.stream(
      `${url}/events/?${numbers(1, 11)
        .map((n) => `channel=c${n}`)
        .join("&")}`,
    );
    await Promise.all([none.got("stream-error"), many.got("stream-error")]);
    const condition = "bad-request";
    expect(none.data("stream-error")).toEqual([
      { condition, text: "Invalid request: No channels specified." },
    ]);
    expect(many.data("stream-error")).toEqual([
      { condition, text: "Invalid request: Channel limit exceeded." },
    ]);
  });

  it("D9: a stream goes on after the id of its header, or else of its query", async () => {
    const first = await position("a");
    await publish("a", 1, 1);
    const second = await position("a");
    await publish("a", 2, 2);
    const byHeader = stage.stream(`${url}/events/a/?lastEventId=${first}`, "-H", `Last-Event-ID: ${second}`);
    const byQuery = stage.stream(`${url}/events/a/?lastEventId=&lastEventId=${first}`);
    await Promise.all([byHeader.got("message"), byQuery.got("message", 2)]);
    expect([byHeader.data("message"), byQuery.data("message")]).toEqual([[2], [1, 2]]);
  });

  it("D10: an id that is none is refused, and the id of a refusal gets 400", async () => {
    const stream = stage.stream(`${url}/events/a/?lastEventId=%00`);
    expect((await stream.got("stream-error")).id).toBe("error");
    expect(stream.data("stream-error")).toMatchObject([{ condition: "bad-request" }]);
    const { status, body } = await stage.curl(`${url}/events/a/`, "-H", "Last-Event-ID: error");
    expect(status).toBe(400);
    expect(body).toContain("Invalid request: Can't resume session after stream-error.");
  });

  it("D11: all that came after a known id is replayed in order, however much, then what is live", async () => {
    const start = await position("a");
    await publish("a", 1, 700);
    const stream = stage.stream(`${url}/events/a/?lastEventId=${start}`);
    await publish("a", 701, 800);
    await stream.got("message", 800);
    expect(stream.data("message")).toEqual(numbers(1, 800));
  });

  it("D12: an id that can't be connected to the log is answered by stream-reset", async () => {
    await publish("a", 1, 1);
    const stream = stage.stream(`${url}/events/a/?lastEventId=gone.7.m-7`);
    expect((await stream.got("stream-reset")).id).toMatch(/^\w+\.\d+\.[\w-]*$/);
    expect(stream.data("stream-reset")).toEqual([{ channels: ["a"], reason: "epoch_changed" }]);
    await publish("a", 2, 2);
    await stream.got("message", 2);
    expect(stream.data("message")).toEqual([1, 2]);
  });

  it("D13: without an id a stream has what comes from now on", async () => {
    await publish("a", 1, 1);
    const stream = stage.stream(`${url}/events/a/`);
    await stream.got("stream-open");
    await publish("a", 2, 2);
    await stream.got("message");
    expect(stream.data("message")).toEqual([2]);
  });

  it("D16: a position that is taken before a snapshot is where its stream goes on", async () => {
    await publish("a", 1, 2);
    const cursor = await position("a", "b");
    await publish("a", 3, 3);
    await publish("b", 4, 4);
    const stream = stage.stream(
      `${url}/events/?channel=a&channel=b&lastEventId=${encodeURIComponent(cursor)}`,
    );
    await stream.got("message", 2);
    expect(new Set(stream.data("message"))).toEqual(new Set([3, 4]));
  });

  it("D17: one channel that may not be read refuses the whole stream and is named", async () => {
    const guarded = await stage.embed(`(who, capability, room) => room !== "stream:b"`);
    const stream = stage.stream(`${guarded}/events/?channel=a&channel=b`);
    expect((await stream.got("stream-error")).id).toBe("error");
    const text = "Permission denied to channels: b";
    expect(stream.data("stream-error")).toEqual([{ condition: "forbidden", text, channels: ["b"] }]);
    expect((await stream.command.exit()).code).toBe(0);
  });

  it("D22: its browser client goes on by itself after the hub was started anew", async () => {
    const folder = stage.folder();
    const served = await stage.serve("--store", "disk", "--data", folder);
    ({ url } = served);
    const heard: unknown[] = [];
    const options = { eventSourceClass: EventSource, max_retry_time: 200 };
    const source = new ReconnectingEventSource(`${url}/events/a/`, options);
    stage.onEnd(() => source.close());
    let opened = 0;
    source.addEventListener("stream-open", () => (opened += 1));
    source.addEventListener("message", ({ data }) => heard.push(JSON.parse(String(data))));
    await until(() => opened === 1);
    await publish("a", 1, 3);
    await until(() => heard.length === 3);
    await served.end("SIGKILL");
    await stage.serve("--store", "disk", "--data", folder, "--port", new URL(url).port);
    await publish("a", 4, 6);
    await until(() => heard.length === 6);
    expect(heard).toEqual(numbers(1, 6));
  });

  it("D23: a chat's page reads the newest messages, and its stream goes on after them", async () => {
    for (const n of numbers(1, 3)) await stage.publish(url, "chat:r", "message", { text: String(n) });
    const page = (await stage.get(`${url}/rooms/chat%3Ar/messages?limit=50`)) as {
      messages: { data: { text: string } }[];
      cursor: string;
    };
    expect(page.messages.map(({ data }) => data.text)).toEqual(["1", "2", "3"]);
    await stage.publish(url, "chat:r", "message", { text: "4" });
    const stream = stage.stream(`${url}/rooms/chat%3Ar/events?lastEventId=${page.cursor}`);
    await stream.got("message");
    expect(stream.data("message")).toEqual([{ text: "4" }]);
  });

  it("D-W1: a reader that stops for a while misses nothing", async () => {
    const stream = stage.stream(`${url}/events/a/`);
    await stream.got("stream-open");
    stream.command.signal("SIGSTOP");
    await publish("a", 1, 500);
    stream.command.signal("SIGCONT");
    await stream.got("message", 500);
    expect(stream.data("message")).toEqual(numbers(1, 500));
  });

  it("D-W2: a reader that was cut before its first event goes on from stream-open", async () => {
    const stream = stage.stream(`${url}/events/a/`);
    const { id } = await stream.got("stream-open");
    await stream.cut();
    await publish("a", 1, 2);
    const next = stage.stream(`${url}/events/a/`, "-H", `Last-Event-ID: ${id!}`);
    await next.got("message", 2);
    expect(next.data("message")).toEqual([1, 2]);
  });

  it("D-W3: events that are kept no longer are announced", async () => {
    const start = await position("a");
    await publish("a", 1, 2);
    await stage.curl("-X", "DELETE", `${url}/rooms/stream%3Aa/messages`);
    const stream = stage.stream(`${url}/events/a/?lastEventId=${start}`);
    await stream.got("stream-reset");
    expect(stream.data("stream-reset")).toEqual([{ channels: ["a"], reason: "trimmed" }]);
  });

  it("D-W4: a stream goes on after its hub's connection to Redis was lost, with what was sent meanwhile", async () => {
    const redis = await stage.redis();
    ({ url } = await stage.serve("--redis-url", redis.url));
    const stream = stage.stream(`${url}/events/a/`);
    await stream.got("stream-open");
    for (const n of [0, 1, 2]) {
      await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
      await publish("a", n * 10 + 1, n * 10 + 10);
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
    const stream = stage.stream(`${url}/events/a/?event=wanted`);
    await stream.got("stream-open");
    await stage.publish(url, "stream:a", "other", 1);
    await stage.publish(url, "stream:a", "wanted", 2);
    await stream.got("wanted");
    expect([stream.data("other"), stream.data("wanted")]).toEqual([[], [2]]);
    expect(stream.body).toMatch(/^retry: \d+$/m);
  });

  it("D-W8: an event that is published while a reader catches up comes once", async () => {
    const start = await position("a");
    const streams = numbers(1, 5).map(() => stage.stream(`${url}/events/a/?lastEventId=${start}`));
    await Promise.all([publish("a", 1, 100), ...streams.map((stream) => stream.got("message", 100))]);
    await publish("a", 101, 101);
    for (const stream of streams) {
      await stream.got("message", 101);
      expect(stream.data("message")).toEqual(numbers(1, 101));
    }
  });
});
