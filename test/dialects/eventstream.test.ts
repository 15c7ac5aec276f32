import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { EventSource } from "eventsource";
import reconnecting from "reconnecting-eventsource";
import { until } from "../support/wait.ts";
import { numbers, Stage } from "./support/stage.ts";

// Its types are those of its CommonJS build.
const ReconnectingEventSource = reconnecting as unknown as typeof reconnecting.default;

let stage: Stage;
let url: string;

beforeEach(async () => {
  stage = new Stage();
  ({ url } = await stage.serve());
});
afterEach(() => stage.close());

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
    const stream = await stage.opened(`${url}/events/a/`);
    await stage.publishNumbers(url, "a", 1, 1);
    await stream.got("message");
    expect(stream.body.startsWith(`:${" ".repeat(2048)}\n\nevent: stream-open\n`)).toBe(true);
    expect(stream.events.filter(({ event }) => event === "stream-open")).toHaveLength(1);
  });

  it("D3: line ends in data never make a field, and in names and ids they are refused", async () => {
    const stream = await stage.opened(`${url}/events/a/`);
    const text = "1\r2\n3\r\n4\0\u2028event: evil";
    await stage.publish(url, "stream:a", "note", text);
    await stream.got("note");
    expect(stream.data("note")).toEqual([text]);
    expect(stream.body).toMatch(/\nevent: note\nid: \S+\ndata: [^\n]*\n\n/);
    for (const end of ["\n", "\r", "\0"]) {
      await expect(stage.publish(url, "stream:a", `a${end}b`, 1)).rejects.toThrow("400");
      await expect(stage.publish(url, "stream:a", "note", 1, `a${end}b`)).rejects.toThrow("400");
    }
  });

  it("D4: data is JSON", async () => {
    const stream = await stage.opened(`${url}/events/a/`);
    await stage.publish(url, "stream:a", "message", { text: "é", n: [1.5, null] });
    await stage.publish(url, "stream:a", "message", "as it is");
    await stream.got("message", 2);
    const data = stream.events.filter(({ event }) => event === "message").map((event) => event.data);
    expect(data).toEqual(['{"text":"é","n":[1.5,null]}', '"as it is"']);
  });

  it("D5: an idle stream has a keep-alive event without an id after 20 seconds", async () => {
    const stream = stage.stream(`${url}/events/a/`);
    await until(() => stream.events.length === 2, 30_000, 100);
    expect(stream.events[1]).toMatchObject({ event: "keep-alive", data: "", id: undefined });
  }, 60_000);

  it("D6: an event's id is where the stream stands in all of its channels", async () => {
    const stream = await stage.opened(`${url}/events/?channel=a&channel=b`);
    await stage.publishNumbers(url, "a", 1, 2);
    await stream.got("message", 2);
    await stage.publishNumbers(url, "b", 1, 1);
    const { id } = await stream.got("message", 3);
    expect(id).toMatch(/^stream%3Aa=\w+\.2\.[\w-]+,stream%3Ab=\w+\.1\.[\w-]+$/);
    const alone = await stage.opened(`${url}/events/c/`);
    const cursor = await stage.publish(url, "stream:c", "message", 1);
    expect((await alone.got("message")).id).toBe(cursor);
    await stage.publish(url, "stream:c", "message", 2);
    expect(await stage.get(`${url}/rooms/stream%3Ac/messages?after=${cursor}`)).toMatchObject({
      messages: [{ data: 2 }],
      recovered: true,
    });
  });

  it("D7: the channels are those of the path, or else those of the query", async () => {
    const fixed = await stage.opened(`${url}/events/a/?channel=b`);
    const free = await stage.opened(`${url}/events/?channel=a&room=b`);
    await stage.publishNumbers(url, "b", 1, 1);
    await free.got("message");
    await stage.publishNumbers(url, "a", 2, 2);
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
    for (const stream of [none, many]) expect((await stream.got("stream-error")).id).toBe("error");
    const condition = "bad-request";
    expect(none.data("stream-error")).toEqual([
      { condition, text: "Invalid request: No channels specified." },
    ]);
    expect(many.data("stream-error")).toEqual([
      { condition, text: "Invalid request: Channel limit exceeded." },
    ]);
  });

  it("D9: a stream goes on after the id of its header, or else of its query", async () => {
    const first = await stage.position(url, "a");
    await stage.publishNumbers(url, "a", 1, 1);
    const second = await stage.position(url, "a");
    await stage.publishNumbers(url, "a", 2, 2);
    const byHeader = stage.stream(`${url}/events/a/?lastEventId=${first}`, "-H", `Last-Event-ID: ${second}`);
    const byQuery = stage.stream(`${url}/events/a/?lastEventId=&lastEventId=${first}`);
    await Promise.all([byHeader.got("message"), byQuery.got("message", 2)]);
    expect([byHeader.data("message"), byQuery.data("message")]).toEqual([[2], [1, 2]]);
    const others = encodeURIComponent(`stream%3Aother=gone.7.m-7,stream%3Aa=${second}`);
    const byPart = stage.stream(`${url}/events/a/?lastEventId=${others}`);
    await byPart.got("message");
    expect(byPart.events.map(({ event }) => event)).toEqual(["stream-open", "message"]);
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
    const start = await stage.position(url, "a");
    await stage.publishNumbers(url, "a", 1, 700);
    const stream = stage.stream(`${url}/events/a/?lastEventId=${start}`);
    await stage.publishNumbers(url, "a", 701, 800);
    await stream.got("message", 800);
    expect(stream.data("message")).toEqual(numbers(1, 800));
  });

  it("D12: an id that can't be connected to the log is answered by stream-reset", async () => {
    await stage.publishNumbers(url, "a", 1, 1);
    const [epoch] = (await stage.position(url, "a")).split(".");
    const gone = stage.stream(`${url}/events/a/?lastEventId=gone.7.m-7`);
    const higher = stage.stream(`${url}/events/a/?lastEventId=${epoch!}.7.m-7`);
    for (const stream of [gone, higher])
      expect((await stream.got("stream-reset")).id).toMatch(/^\w+\.\d+\.[\w-]*$/);
    expect(gone.data("stream-reset")).toEqual([{ channels: ["a"], reason: "epoch_changed" }]);
    expect(higher.data("stream-reset")).toEqual([{ channels: ["a"], reason: "rolled_back" }]);
    await stage.publishNumbers(url, "a", 2, 2);
    for (const stream of [gone, higher]) {
      await stream.got("message", 2);
      expect(stream.data("message")).toEqual([1, 2]);
    }
  });

  it("D13: without an id a stream has what comes from now on", async () => {
    await stage.publishNumbers(url, "a", 1, 1);
    const stream = await stage.opened(`${url}/events/a/`);
    await stage.publishNumbers(url, "a", 2, 2);
    await stream.got("message");
    expect(stream.data("message")).toEqual([2]);
    const more = stage.stream(`${url}/events/a/?rewind=50`);
    await more.got("message", 2);
    expect(more.data("message")).toEqual([1, 2]);
  });

  it("D16: a position that is taken before a snapshot is where its stream goes on", async () => {
    await stage.publishNumbers(url, "a", 1, 2);
    const cursor = await stage.position(url, "a", "b");
    await stage.publishNumbers(url, "a", 3, 3);
    await stage.publishNumbers(url, "b", 4, 4);
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
    expect(stream.head).toMatch(/^HTTP\/1.1 200/);
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
    await stage.publishNumbers(url, "a", 1, 3);
    await until(() => heard.length === 3);
    await served.end("SIGKILL");
    await stage.serve("--store", "disk", "--data", folder, "--port", new URL(url).port);
    await stage.publishNumbers(url, "a", 4, 6);
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

  it("D24: what is published as by EVENTSTREAM_REDIS comes once to the streams of every process", async () => {
    const redis = await stage.redis();
    const options = ["--redis-url", redis.url, "--bridge", "eventstream"];
    const hubs = [await stage.serve(...options), await stage.serve(...options)];
    const streams = [];
    for (const hub of hubs) streams.push(await stage.opened(`${hub.url}/events/a/`));
    for (const n of numbers(1, 3)) {
      const event = { channel: "a", event_type: "note", data: JSON.stringify({ n }), pub_id: String(n) };
      await redis.command("PUBLISH", "events_channel", JSON.stringify(event));
    }
    for (const stream of streams) {
      const { id } = await stream.got("note", 3);
      expect(stream.data("note")).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
      expect(id).toMatch(/^\w+\.3\.[\w-]+$/);
    }
  });
});
