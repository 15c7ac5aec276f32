import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventSource } from "eventsource";
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { Commands, type Command, type CommandOptions, type ServeCommand } from "../../support/commands.ts";
import { PlainSocket } from "../../support/plain-socket.ts";
import { requirePythonClient } from "../../support/programs.mjs";
import type { Run } from "../../support/run-node.ts";
import { RedisServer } from "../../support/redis-server.ts";
import { CurlStream } from "./curl-stream.ts";

/** What an HTTP request was answered, as curl tells it. */
export interface Reply {
  readonly status: number;
  readonly body: string;
}

/** Gives whole numbers, both ends among them. */
export function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Gives one test hubs, which are programs of their own, and clients that others have written; ends all of them. */
export class Stage {
  readonly #commands = new Commands();
  readonly #ends: (() => unknown)[] = [];

  /** Starts `roomcast serve` with its log in memory, unless the arguments say otherwise. */
  serve(...args: readonly string[]): Promise<ServeCommand> {
    return this.#commands.serve(args);
  }

  /** Starts a hub inside a program of somebody else's, with the code of its `authorize` hook. */
  async embed(authorize: string): Promise<string> {
    const code = [
      `import { createHub } from "roomcast";`,
      `const hub = await createHub({ store: "memory", authorize: ${authorize} });`,
      `console.log("listens on", await hub.listen(0));`,
    ].join("\n");
    const program = this.#commands.start(["--input-type=module", "-e", code], {
      program: [process.execPath],
    });
    const [, url] = await program.prints(/^listens on (\S+)$/m);
    return url!;
  }

  async redis(): Promise<RedisServer> {
    const redis = await RedisServer.start();
    this.#ends.push(() => redis.stop());
    return redis;
  }

  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), "roomcast-dialects-"));
    this.#ends.push(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  /** Starts another of roomcast's commands. */
  roomcast(...args: readonly string[]): Command {
    return this.#commands.start(args);
  }

  /** Starts a Node program, which ends with what it has started. */
  node(...args: readonly string[]): Command {
    return this.#commands.start(args, { program: [process.execPath], group: true });
  }

  /** Starts a program in a Python that has python-socketio. */
  python(code: string, ...args: readonly string[]): Command {
    return this.#commands.start(["-c", code, ...args], { program: [requirePythonClient()] });
  }

  /** Runs a program to its end. */
  run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<Run> {
    return this.#commands.run(args, { ...options, program: [program] });
  }

  async curl(...args: readonly string[]): Promise<Reply> {
    const { out, err } = await this.run("curl", ["-sS", "-w", "\n%{http_code}", ...args]);
    const end = out.lastIndexOf("\n");
    if (end < 0) throw new Error(`curl said: ${err}`);
    return { status: Number(out.slice(end + 1)), body: out.slice(0, end) };
  }

  /** Publishes as any program does that knows HTTP. */
  async publish(url: string, room: string, event: string, data: unknown, id?: string): Promise<string> {
    const body = JSON.stringify({ event, data, id });
    const path = `${url}/rooms/${encodeURIComponent(room)}/messages`;
    const { status, body: reply } = await this.curl(path, "-H", "content-type: application/json", "-d", body);
    if (status !== 201) throw new Error(`${status}: ${reply}`);
    return (JSON.parse(reply) as { cursor: string }).cursor;
  }

  /** Publishes messages with these data, in one request. */
  async publishAll(url: string, room: string, data: readonly unknown[]): Promise<void> {
    const lines = data.map((one) => JSON.stringify({ event: "message", data: one }));
    await this.#publishLines(url, room, lines.join("\n"));
  }

  /** Publishes numbers into a stream, in one request. */
  async publishNumbers(url: string, channel: string, first: number, last: number): Promise<void> {
    await this.publishAll(url, `stream:${channel}`, numbers(first, last));
  }

  /** Publishes 320 messages of 60 kB: more than waits anywhere for who does not read. */
  async flood(url: string, room: string): Promise<void> {
    const file = join(this.folder(), "lines");
    const line = JSON.stringify({ event: "message", data: { text: "x".repeat(60_000) } });
    writeFileSync(file, `${line}\n`.repeat(16));
    for (let i = 0; i < 20; i += 1) await this.#publishLines(url, room, `@${file}`);
  }

  /** The cursor of where streams stand. */
  async position(url: string, ...channels: readonly string[]): Promise<string> {
    const query = channels.map((channel) => `room=${channel}`).join("&");
    return ((await this.get(`${url}/events/position?${query}`)) as { cursor: string }).cursor;
  }

  /** Reads JSON. */
  async get(url: string): Promise<unknown> {
    return JSON.parse((await this.curl(url)).body);
  }

  /** How many connections a room has, on all nodes. */
  async connections(url: string, room: string): Promise<number> {
    const reply = (await this.get(`${url}/rooms/${encodeURIComponent(room)}`)) as { connections: number };
    return reply.connections;
  }

  /** Opens a plain WebSocket. */
  socket(url: string, headers: Record<string, string> = {}): PlainSocket {
    const plain = new PlainSocket(url, { headers });
    this.#ends.push(() => plain.socket.terminate());
    return plain;
  }

  /** Connects a stock Socket.IO client. */
  stock(url: string, options: Partial<ManagerOptions & SocketOptions> = {}): Socket {
    const socket = io(url, { forceNew: true, reconnectionDelayMax: 200, ...options });
    this.#ends.push(() => socket.disconnect());
    return socket;
  }

  /** Opens npm's EventSource. */
  source(url: string): EventSource {
    const source = new EventSource(url);
    this.#ends.push(() => source.close());
    return source;
  }

  /** Streams with `curl -N`. */
  stream(url: string, ...args: readonly string[]): CurlStream {
    return new CurlStream(this.#commands.start(["-sSNi", ...args, url], { program: ["curl"] }));
  }

  /** The same; resolves when the hub has begun the stream. */
  async opened(url: string, ...args: readonly string[]): Promise<CurlStream> {
    const stream = this.stream(url, ...args);
    await stream.got("stream-open");
    return stream;
  }

  /** Has an end called when the test ends. */
  onEnd(end: () => unknown): void {
    this.#ends.push(end);
  }

  async close(): Promise<void> {
    // Hubs end before their Redis.
    await this.#commands.close();
    const ends = this.#ends.splice(0).toReversed();
    for (const end of ends) await end();
  }

  /** @param lines the lines, or as curl takes the name of their file */
  async #publishLines(url: string, room: string, lines: string): Promise<void> {
    const path = `${url}/rooms/${encodeURIComponent(room)}/messages`;
    const type = ["-H", "content-type: application/x-ndjson"];
    const { status, body } = await this.curl(path, ...type, "--data-binary", lines);
    if (status !== 201) throw new Error(`${status}: ${body}`);
  }
}
