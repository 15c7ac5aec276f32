import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { until } from "../support/wait.ts";
import { Stage } from "./support/stage.ts";

const LOG = "0f8fad5b-d9cb-469f-a165-70867728950e";
const OTHER = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const ROOM = `stream:${LOG}`;

let stage: Stage;
let url: string;

beforeEach(async () => {
  stage = new Stage();
  ({ url } = await stage.serve());
});
afterEach(() => stage.close());

const TIME: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*(Z|\+00:00)$/);

async function post(hub: string, log: string, message: string): Promise<void> {
  expect(await stage.curl(`${hub}/live/${log}`, "-d", `message=${message}`)).toEqual({
    status: 204,
    body: "",
  });
}

/** Opens the WebSocket of a log; resolves when it is in its room. */
async function tail(hub: string, path: string): Promise<ReturnType<Stage["socket"]>> {
  const log = path.split("/")[3]!;
  const before = await stage.connections(hub, `stream:${log}`);
  const socket = stage.socket(hub + path);
  await until(async () => (await stage.connections(hub, `stream:${log}`)) > before);
  return socket;
}

async function kept(): Promise<unknown[]> {
  const page = await stage.get(`${url}/rooms/${encodeURIComponent(ROOM)}/messages`);
  return (page as { messages: { data: unknown }[] }).messages.map(({ data }) => data);
}

/** As its handler does: a form per record, over one connection that stays. */
const HANDLER = `
import http.client, logging, sys, urllib.parse
from datetime import datetime, timezone

class Handler(logging.Handler):
    def __init__(self, host, log):
        super().__init__()
        self.connection, self.path = http.client.HTTPConnection(host, timeout=5), "/live/" + log

    def emit(self, record):
        time = datetime.fromtimestamp(record.created, timezone.utc).isoformat()
        fields = {"message": self.format(record), "level": record.levelname, "program": record.name, "timestamp": time}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", self.path, urllib.parse.urlencode(fields), headers)
        reply = self.connection.getresponse()
        reply.read()
        print(reply.status, self.connection.sock.getsockname()[1])

logger = logging.getLogger("shop.cart")
logger.setLevel(logging.DEBUG)
logger.addHandler(Handler(sys.argv[1], sys.argv[2]))
logger.info("50 %% of %s", "it")
logger.warning("two\\nlines")
logger.critical("h\\u00e9 & +")
`;

describe("BunnyLogs", () => {
  it("A1: a form that is posted to a log's address is answered with 204 and nothing else", async () => {
    const form = ["--data-urlencode", "message=hi & ho", "-d", "level=ERROR", "-d", "program=web"];
    expect(await stage.curl(`${url}/live/${LOG}`, ...form)).toEqual({ status: 204, body: "" });
    const json = ["-H", "content-type: application/json", "-d", '{"message":"hi"}'];
    expect(await stage.curl(`${url}/live/${LOG}`, ...json)).toEqual({ status: 204, body: "" });
    expect(await kept()).toEqual([
      { message: "hi & ho", level: "ERROR", program: "web", timestamp: TIME },
      { message: "hi", level: "INFO", program: "api", timestamp: TIME },
    ]);
  });

  it("A2: a form has defaults for what it lacks, and the hub's time", async () => {
    const before = Date.now();
    await stage.curl("-X", "POST", `${url}/live/${LOG}`);
    const [entry] = (await kept()) as { timestamp: string }[];
    expect(entry).toEqual({ message: "", level: "INFO", program: "api", timestamp: TIME });
    expect(Date.parse(entry!.timestamp)).toBeGreaterThanOrEqual(before);
  });

  it("A3: each post is one text frame at both addresses of the WebSocket", async () => {
    const sockets = [await tail(url, `/ws/logs/${LOG}/`), await tail(url, `/ws/logs/${LOG}`)];
    await post(url, LOG, "one");
    await post(url, LOG, "two");
    for (const socket of sockets) {
      const usual = { level: "INFO", program: "api", timestamp: TIME };
      expect((await socket.got(2)).frames).toEqual([
        { message: "one", ...usual },
        { message: "two", ...usual },
      ]);
    }
  });

  it("A4: a post reaches everyone who reads its log, and nobody else", async () => {
    const here = [1, 2, 3].map(() => stage.socket(`${url}/ws/logs/${LOG}`));
    const elsewhere = await tail(url, `/ws/logs/${OTHER}`);
    await until(async () => (await stage.connections(url, ROOM)) === here.length);
    await Promise.all(["1", "2", "3"].map((message) => post(url, LOG, message)));
    await post(url, OTHER, "elsewhere");
    for (const socket of here) expect((await socket.got(3)).frames).toEqual(await kept());
    expect((await elsewhere.got(1)).frames).toMatchObject([{ message: "elsewhere" }]);
  });

  it("A5: a post at one process reaches the readers of another", async () => {
    const redis = await stage.redis();
    const [one, other] = [
      await stage.serve("--redis-url", redis.url),
      await stage.serve("--redis-url", redis.url),
    ];
    const socket = await tail(other.url, `/ws/logs/${LOG}`);
    await post(one.url, LOG, "over there");
    expect((await socket.got(1)).frames).toMatchObject([{ message: "over there" }]);
  });

  it("A6: whoever closes the WebSocket has left the log", async () => {
    const socket = await tail(url, `/ws/logs/${LOG}`);
    socket.socket.close();
    await until(async () => (await stage.connections(url, ROOM)) === 0);
  });

  it("A6: the readers that are counted are those of all processes, as long as these live", async () => {
    const redis = await stage.redis();
    const [one, other] = [
      await stage.serve("--redis-url", redis.url),
      await stage.serve("--redis-url", redis.url),
    ];
    for (const hub of [one, other]) await tail(hub.url, `/ws/logs/${LOG}`);
    await until(async () => (await stage.connections(one.url, ROOM)) === 2);
    await other.end("SIGKILL");
    await until(async () => (await stage.connections(one.url, ROOM)) === 1, 20_000, 200);
  }, 60_000);

  it("A8: a Python handler's records come as it sends them, over one connection", async () => {
    const { out, err } = await stage.run("python3", ["-c", HANDLER, new URL(url).host, LOG]);
    expect(err).toBe("");
    const port = /^204 (\d+)$/m.exec(out)?.[1];
    expect(out).toBe(`204 ${port}\n`.repeat(3));
    expect(await kept()).toEqual([
      { message: "50 % of it", level: "INFO", program: "shop.cart", timestamp: TIME },
      { message: "two\nlines", level: "WARNING", program: "shop.cart", timestamp: TIME },
      { message: "hé & +", level: "CRITICAL", program: "shop.cart", timestamp: TIME },
    ]);
  });

  it("A9: a frame has all that a line of the tail command shows, and a refusal a code that it knows", async () => {
    const socket = await tail(url, `/ws/logs/${LOG}`);
    await post(url, LOG, "done");
    const [frame] = (await socket.got(1)).frames as Record<string, string>[];
    const { timestamp, level, program, message } = frame!;
    expect(`${timestamp!.slice(0, 23)}  ${level!.padEnd(8)}  ${program!}  ${message!}`).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} {2}INFO {4} {2}api {2}done$/,
    );
    expect((await stage.socket(`${url}/ws/logs/a%20b`).ended()).code).toBeGreaterThanOrEqual(4_000);
    const watch = stage.roomcast("watch", LOG, "--url", url, "--rewind", "1");
    await watch.prints(/^\S+Z {2}INFO {2,}api {2}done$/m);
  });

  it("A-W1: who may write need not be who may read", async () => {
    const guarded = await stage.embed(`({ token }, capability) =>
      capability === "publish" ? token === "writer" : token === "reader"`);
    const address = `${guarded}/live/${LOG}`;
    const form = ["-d", "message=secret"];
    expect((await stage.curl(address, ...form)).status).toBe(403);
    expect((await stage.curl(address, ...form, "-H", "Authorization: Bearer reader")).status).toBe(403);
    expect((await stage.curl(address, ...form, "-H", "Authorization: Bearer writer")).status).toBe(204);
    const reading = `${guarded}/ws/logs/${LOG}?rewind=10`;
    expect((await stage.socket(reading, { authorization: "Bearer writer" }).ended()).code).toBe(4403);
    const reader = stage.socket(reading, { authorization: "Bearer reader" });
    expect((await reader.got(1)).frames).toMatchObject([{ message: "secret" }]);
  });

  it("A-W2: who comes late, or comes back, has what was sent before", async () => {
    await post(url, LOG, "1");
    const { cursor } = (await stage.get(`${url}/events/position?room=${ROOM}`)) as { cursor: string };
    await post(url, LOG, "2");
    const late = await stage.socket(`${url}/ws/logs/${LOG}?rewind=100`).got(2);
    expect(late.frames).toMatchObject([{ message: "1" }, { message: "2" }]);
    const back = await stage.socket(`${url}/ws/logs/${LOG}?since=${cursor}`).got(1);
    expect(back.frames).toMatchObject([{ message: "2" }]);
    expect(await kept()).toMatchObject([{ message: "1" }, { message: "2" }]);
  });

  it("A-W3: a record that is refused is told, and one that is sent twice with its key is one", async () => {
    const refused = await stage.curl(`${url}/live/${LOG}`, "-d", "timestamp=yesterday");
    expect(refused.status).toBe(400);
    expect(JSON.parse(refused.body)).toMatchObject({ error: { code: "bad_request", retryable: false } });
    const entry = JSON.stringify({ event: "log", data: { message: "once" } });
    const again = ["-H", "content-type: application/json", "-H", "Idempotency-Key: r-1", "-d", entry];
    const address = `${url}/rooms/${encodeURIComponent(ROOM)}/messages`;
    const replies = [await stage.curl(address, ...again), await stage.curl(address, ...again)];
    expect(replies.map(({ body }) => (JSON.parse(body) as { duplicate: boolean }).duplicate)).toEqual([
      false,
      true,
    ]);
    expect(await kept()).toEqual([{ message: "once" }]);
  });
});
