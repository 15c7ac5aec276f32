import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { createParser } from "eventsource-parser";
import type { Browser } from "playwright-core";
import { io, type Socket } from "socket.io-client";
import type { Meta } from "../../shared/message.ts";
import { formatCursor, type Position } from "../../shared/position.ts";
import type { JoinReply, Reply } from "../../shared/protocol.ts";
import { launchBrowser, openTab } from "../support/browser.ts";
import { Commands, type Command, type ServeCommand } from "../support/commands.ts";
import { range } from "../support/core.ts";
import { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

const ROOM = "stream:walk";
const PER_SECOND = 200;
/** What a request may have. */
const AT_ONCE = 100;
/** How many messages a reader takes before it is cut off, and how many come while nobody reads. */
const LEG = 400;
const BETWEEN = 40;

let redis: RedisServer;
let browser: Browser;
let commands: Commands;
let hubs: readonly [ServeCommand, ServeCommand];
let walk: Walk;
let numbers: Numbers;
beforeAll(async () => {
  [redis, browser] = await Promise.all([RedisServer.start(), launchBrowser()]);
});
beforeEach(async () => {
  commands = new Commands();
  const serve = (): Promise<ServeCommand> => commands.serve([], { env: { REDIS_URL: redis.url } });
  hubs = await Promise.all([serve(), serve()]);
  walk = new Walk();
  numbers = new Numbers();
});
afterEach(async () => {
  await numbers.end();
  await walk.cut();
  await commands.close();
});
afterAll(async () => {
  await browser.close();
  await redis.stop();
});

/** What a reader hands over on one leg of its way. */
interface Leg {
  readonly take: (n: number, cursor: string) => void;
  readonly tell: (gap: unknown) => void;
}

/** One reader on a way over several transports: what it took, on which of them, and how far it has come. */
class Walk {
  readonly taken: number[] = [];
  /** What it was told of gaps. */
  readonly gaps: unknown[] = [];
  /** The cursor of the last message that it took. */
  cursor: string | undefined;
  #end: () => Promise<unknown> = async () => {};
  #legs = 0;

  /** Begins another leg; what comes late out of one that is over is not taken. */
  begin(end: () => Promise<unknown>): Leg {
    const leg = (this.#legs += 1);
    this.#end = end;
    return {
      take: (n, cursor) => {
        if (leg !== this.#legs) return;
        this.taken.push(n);
        this.cursor = cursor;
      },
      tell: (gap) => void this.gaps.push(gap),
    };
  }

  async cut(): Promise<void> {
    this.#legs += 1;
    const end = this.#end;
    this.#end = async () => {};
    await end();
  }

  /** Waits until so many more messages are taken. */
  async takes(count: number): Promise<void> {
    const wanted = this.taken.length + count;
    await until(() => this.taken.length >= wanted, 20_000);
  }
}

/** Publishes numbers in their order, all that are due at once, until a hub has them: after a failure the other one, by the same ids. */
class Numbers {
  /** How many are acknowledged. */
  published = 0;
  failures = 0;
  #hub = 0;
  #ended = false;
  #running: Promise<void> | undefined;

  begin(): void {
    this.#running = this.#run();
  }

  /** Publishes nothing new. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const began = performance.now();
    let sent = 0;
    while (!this.#ended) {
      await sleep(1_000 / PER_SECOND);
      const due = Math.floor(((performance.now() - began) * PER_SECOND) / 1_000);
      // What has no answer is sent again as it was, before anything else.
      if (sent === this.published) sent = Math.min(due, sent + AT_ONCE);
      if (sent > this.published && (await this.#post(range(this.published + 1, sent)))) this.published = sent;
    }
  }

  async #post(some: readonly number[]): Promise<boolean> {
    try {
      const reply = await fetch(`${hubs[this.#hub]!.url}/rooms/${encodeURIComponent(ROOM)}/messages`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(some.map((n) => ({ event: "log", data: n, id: `number-${n}` }))),
      });
      const { results } = (await reply.json()) as { results: readonly object[] };
      if (results.every((result) => "offset" in result)) return true;
    } catch {
      // Whether they are published is unknown; their ids make it safe to say it again.
    }
    this.failures += 1;
    this.#hub = 1 - this.#hub;
    return false;
  }
}

async function overSocketIo(url: string): Promise<void> {
  const socket: Socket = io(url, { transports: ["websocket"], reconnection: false, forceNew: true });
  const leg = walk.begin(async () => {
    if (!socket.connected) return;
    const { ws } = socket.io.engine.transport as unknown as { ws: { terminate(): void } };
    ws.terminate();
    await until(() => !socket.connected);
  });
  socket.on("log", (n: number, meta: Meta) => leg.take(n, formatCursor(meta as Position)));
  socket.on("room:gap", leg.tell);
  await once(socket as unknown as NodeJS.EventEmitter, "connect");
  const since = walk.cursor;
  const reply = (await socket.emitWithAck("join", { room: ROOM, since })) as Reply<JoinReply>;
  expect(reply).toMatchObject({ ok: true, ...(since === undefined ? {} : { recovered: true }) });
}

function eventsSince(url: string): string {
  const { cursor } = walk;
  return `${url}/events?room=${ROOM}&since=${encodeURIComponent(cursor!)}`;
}

function overCurl(url: string): Command {
  const curl = commands.start(["-sSN", eventsSince(url)], { program: ["curl"] });
  const leg = walk.begin(() => curl.end("SIGKILL"));
  const parser = createParser({
    onEvent({ event, id, data }) {
      if (event === "log") leg.take(Number(data), id!);
      else if (event === "stream-reset" || event === "stream-error") leg.tell({ event, data });
    },
  });
  curl.process.stdout!.on("data", (text: string) => parser.feed(text));
  return curl;
}

async function overEventSource(url: string): Promise<void> {
  const { page, context } = await openTab(browser);
  const leg = walk.begin(() => context.close());
  await page.exposeFunction("take", leg.take);
  await page.exposeFunction("tell", leg.tell);
  await page.goto(`${url}/healthz`);
  await page.evaluate((events) => {
    const { take, tell } = globalThis as unknown as Leg;
    const source = new globalThis.EventSource(events);
    source.addEventListener("log", ({ data, lastEventId }) => take(Number(data), lastEventId));
    for (const name of ["stream-reset", "stream-error"])
      source.addEventListener(name, ({ data }: MessageEvent) => tell({ event: name, data: data as string }));
  }, eventsSince(url));
}

test("one cursor goes from Socket.IO to curl, to EventSource and back, over a node that dies", async () => {
  const [first, second] = hubs;
  await overSocketIo(first.url);
  numbers.begin();
  const pause = async (): Promise<void> => {
    const { published } = numbers;
    await until(() => numbers.published >= published + BETWEEN);
  };
  await walk.takes(LEG);
  await walk.cut();
  await pause();

  const curl = overCurl(first.url);
  await walk.takes(LEG);
  expect(numbers.failures).toBe(0);
  await first.end("SIGKILL");
  expect(await curl.exit()).toMatchObject({ signal: null });
  await pause();
  expect(numbers.failures).toBeGreaterThan(0);

  overCurl(second.url);
  await walk.takes(LEG);
  await walk.cut();
  await pause();

  await overEventSource(second.url);
  await walk.takes(LEG);
  await walk.cut();
  await pause();

  await overSocketIo(second.url);
  await walk.takes(LEG);
  await numbers.end();
  await until(() => walk.taken.at(-1) === numbers.published);
  expect(walk.taken).toEqual(range(1, numbers.published));
  expect(walk.gaps).toEqual([]);
}, 60_000);
