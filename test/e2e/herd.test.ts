import { afterAll, afterEach, beforeAll, expect, it } from "@jest/globals";
import { io, type Socket } from "socket.io-client";
import type { Meta } from "../../shared/message.ts";
import type { Position } from "../../shared/position.ts";
import type { JoinReply, Reply } from "../../shared/protocol.ts";
import { Commands } from "../support/commands.ts";
import { range } from "../support/core.ts";
import { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";

/** `HERD=2000 npx jest herd` is the size for a machine with nothing else to do. */
const CLIENTS = Number(process.env["HERD"] ?? 300);
const ROOM = "stream:herd";

let redis: RedisServer;
const commands = new Commands();
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterEach(() => commands.close());
afterAll(() => redis.stop());

/** Is a stock client that knows several hubs, and resumes at the next one when its connection is lost. */
class Wanderer {
  readonly offsets: number[] = [];
  readonly replies: JoinReply[] = [];
  #since: Position | undefined;
  #socket: Socket | undefined;

  constructor(urls: readonly string[], first: number) {
    const open = (at: number): void => {
      const socket = io(urls[at % urls.length], {
        forceNew: true,
        transports: ["websocket"],
        reconnection: false,
      });
      this.#socket = socket;
      socket.on("connect", () => void this.#join(socket));
      socket.on("n", (_data: unknown, { epoch, offset, id }: Meta) => {
        this.offsets.push(offset!);
        this.#since = { epoch: epoch!, offset: offset!, id };
      });
      const next = (): void => void setTimeout(() => open(at + 1), Math.random() * 1_000);
      socket.on("connect_error", next);
      socket.on("disconnect", (reason) => reason !== "io client disconnect" && next());
    };
    open(first);
  }

  close(): void {
    this.#socket?.disconnect();
  }

  async #join(socket: Socket): Promise<void> {
    const since = this.#since === undefined ? {} : { since: this.#since };
    const reply = (await socket.emitWithAck("join", { room: ROOM, ...since })) as Reply<JoinReply>;
    if (!reply.ok) {
      expect(reply.error).toMatchObject({ retryable: true });
      return void setTimeout(() => socket.connected && void this.#join(socket), 200 + Math.random() * 500);
    }
    this.#since = reply.position;
    this.replies.push(reply);
  }
}

async function scriptCalls(): Promise<number> {
  const stats = String(await redis.command("INFO", "commandstats"));
  return Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(stats)?.[1] ?? 0);
}

it(`lets ${CLIENTS} clients of a killed node resume on the others, with at most 20 reads of the log`, async () => {
  const hubs = await Promise.all(
    range(1, 3).map(() => commands.serve([], { env: { REDIS_URL: redis.url } })),
  );
  const urls = hubs.map(({ url }) => url);
  const publish = async (first: number, last: number): Promise<void> => {
    const body = JSON.stringify(range(first, last).map((n) => ({ event: "n", data: n })));
    const headers = { "content-type": "application/json" };
    const reply = await fetch(`${urls[1]}/rooms/${ROOM}/messages`, { method: "POST", body, headers });
    expect(reply.status).toBe(201);
  };
  const herd = range(1, CLIENTS).map(() => new Wanderer(urls, 0));
  try {
    await until(() => herd.every(({ replies }) => replies.length === 1), 60_000);
    await publish(1, 20);
    await until(() => herd.every(({ offsets }) => offsets.length === 20), 20_000);
    await hubs[0]!.end("SIGKILL");
    const [began, before] = [performance.now(), await scriptCalls()];
    // One append; the nodes that the clients come to do not hold the room yet.
    await publish(21, 60);
    await until(() => herd.every(({ replies }) => replies.length === 2), 60_000);
    const [ms, reads] = [performance.now() - began, (await scriptCalls()) - before - 1];
    if (process.env["HERD"] !== undefined)
      process.stderr.write(`${CLIENTS} resumed in ${Math.round(ms)} ms, ${reads} reads\n`);
    await publish(61, 70);
    await until(() => herd.every(({ offsets }) => offsets.length >= 70), 20_000);
    for (const { offsets, replies } of herd) {
      expect(offsets).toEqual(range(1, 70));
      expect(replies[1]).toMatchObject({ recovered: true });
    }
    expect(reads).toBeLessThanOrEqual(20);
  } finally {
    herd.forEach((one) => one.close());
  }
}, 180_000);
