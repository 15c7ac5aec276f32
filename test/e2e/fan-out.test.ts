import { afterEach, describe, expect, test } from "@jest/globals";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { range } from "../support/core.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
const raws: RawSocket[] = [];
afterEach(async () => {
  raws.splice(0).forEach((raw) => raw.close());
  await nodes.close();
});

const FREE = { messagesPerSecond: 1_000_000, messageBurst: 1_000_000, outboundBytes: 100_000_000 };
const start = (fastPath: boolean): Promise<RunningNode> => nodes.start({ fastPath, limits: FREE });

async function member({ url }: RunningNode, room: string): Promise<RawSocket> {
  const raw = await RawSocket.open(url);
  raws.push(raw);
  await raw.ask("join", { room });
  raw.forget();
  return raw;
}

/** What varies between two runs, put aside: the epoch and the time, each as long as any other. */
function still(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replaceAll(/"epoch":"[A-Za-z0-9]+"/g, '"epoch":"e"')
    .replaceAll(/"cursor":"[^"]+"/g, '"cursor":""')
    .replaceAll(/"time":\d+/g, '"time":0');
}

describe("messages that leave together", () => {
  test("are the same bytes as those that leave one by one, whatever their length", async () => {
    const room = "stream:bytes";
    // A frame's length is written in three ways, so the lengths are those of whole frames around each change.
    const around = [125, 126, 65_535, 65_536].flatMap((length) => range(length - 3, length + 3));
    const texts = ["", "é", "漢字", "😀", "\u2028", "a\nb\0c", "x".repeat(300)];
    const flushes = new Map([true, false].map((fastPath) => [fastPath, 0]));
    const streams = await Promise.all(
      [true, false].map(async (fastPath) => {
        const node = await start(fastPath);
        const raw = await member(node, room);
        node.hub.io.engine.on("flush", () => flushes.set(fastPath, flushes.get(fastPath)! + 1));
        const shortest =
          JSON.stringify(["log", "", { room, id: "0000", epoch: "", offset: 0, time: 0 }]).length + 40;
        const sized = around.map((length) => "y".repeat(Math.max(0, length - shortest)));
        const all = [...texts, ...around.map((length) => "z".repeat(Math.min(length, 65_000))), ...sized];
        await Promise.all(
          all.map((data, i) =>
            node.hub.publish(room, "log", data, { id: `m-${String(i).padStart(3, "0")}` }),
          ),
        );
        await node.hub.publish(room, "end", null, { id: "end" });
        return still(await raw.received('"id":"end"'));
      }),
    );
    expect(streams[0]!.length).toBeGreaterThan(700_000);
    expect(streams[0] === streams[1]).toBe(true);
    // The one goes past engine.io, the other does not.
    expect(flushes.get(true)).toBe(0);
    expect(flushes.get(false)).toBeGreaterThan(0);
  });

  test("are replayed as the same bytes, to all who stand at the same place in one write", async () => {
    const room = "stream:replayed";
    const streams = await Promise.all(
      [true, false].map(async (fastPath) => {
        const node = await start(fastPath);
        for (const i of range(1, 200)) await node.hub.publish(room, "log", `line ${i} é`, { id: `m-${i}` });
        const readers = await Promise.all(range(1, 3).map(() => RawSocket.open(node.url)));
        raws.push(...readers);
        let flushes = 0;
        readers.forEach((reader) => reader.forget());
        node.hub.io.engine.on("flush", () => (flushes += 1));
        await Promise.all(readers.map((reader) => reader.ask("join", { room, rewind: 150 })));
        // The answers of the joins go engine.io's way, and nothing else if it can be helped.
        if (fastPath) expect(flushes).toBe(3);
        else expect(flushes).toBeGreaterThan(3);
        return Promise.all(readers.map(async (reader) => still(await reader.received("431["))));
      }),
    );
    expect(streams[0]![0]).toContain("line 51 ");
    expect(new Set(streams.flat()).size).toBe(1);
  });

  test("keep their order among direct emits, acknowledgements, volatile and binary packets, and upgrades", async () => {
    const room = "stream:order";
    const node = await start(true);
    // Polling first: some are upgraded while messages come.
    const clients = await Promise.all(
      range(1, 12).map((i) =>
        nodes.client(
          node.url,
          i % 3 === 0 ? { transports: ["websocket"] } : i % 3 === 1 ? { transports: ["polling"] } : {},
        ),
      ),
    );
    const heard = clients.map(() => [] as number[]);
    const marks = clients.map(() => [] as (readonly [number, number])[]);
    clients.forEach((client, i) => {
      client.socket.on("n", (n: number) => heard[i]!.push(n));
      // A mark says how many messages had been issued when it was sent.
      client.socket.on("mark", (issued: number) => marks[i]!.push([issued, heard[i]!.length]));
    });
    for (const client of clients) await client.join(room);
    const sockets = await node.hub.io.fetchSockets();
    const locals = [...node.hub.io.sockets.sockets.values()];
    let issued = 0;
    for (const round of range(1, 60)) {
      const wave = range(1, 1 + (round % 7)).map(() => {
        issued += 1;
        return node.hub.publish(room, "n", issued, { id: `n-${issued}` });
      });
      // The memory store has given them their places by now, and the frames wait for the end of the turn.
      for (const [i, socket] of locals.entries()) {
        const kind = (round + i) % 5;
        if (kind === 0) socket.emit("mark", issued);
        else if (kind === 1) socket.emit("mark", issued, Buffer.from("binary"));
        else if (kind === 2) socket.volatile.emit("mark", issued);
        else if (kind === 3) node.hub.io.except("nobody").emit("mark", issued);
      }
      await Promise.all(wave);
      if (round % 10 === 0) await clients[round % clients.length]!.ask("history", { room, limit: 1 });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => heard.every(({ length }) => length === issued), 20_000);
    expect(sockets).toHaveLength(12);
    for (const numbers of heard) expect(numbers).toEqual(range(1, issued));
    expect(marks.flat().length).toBeGreaterThan(500);
    for (const [told, had] of marks.flat()) expect(had).toBe(told);
  });

  test("come before the end of a connection that is closed in their turn", async () => {
    const room = "stream:last";
    const node = await start(true);
    const client = await nodes.client(node.url, { transports: ["websocket"], reconnection: false });
    await client.join(room);
    const published = range(1, 5).map((n) => node.hub.publish(room, "n", n));
    for (const socket of node.hub.io.sockets.sockets.values()) socket.disconnect(true);
    await Promise.all(published);
    await until(() => !client.socket.connected);
    expect(client.offsets()).toEqual([1, 2, 3, 4, 5]);
  });

  test("come to who joins in their turn once, and to who leaves in it", async () => {
    const room = "stream:turn";
    const node = await start(true);
    const [stays, comes] = [await nodes.client(node.url), await nodes.client(node.url)];
    await stays.join(room);
    for (const round of range(1, 20)) {
      const published = range(1, 4).map((n) => node.hub.publish(room, "n", n));
      const joined = comes.join(room, { rewind: 2 });
      published.push(...range(5, 8).map((n) => node.hub.publish(room, "n", n)));
      const { position, replayed } = await joined;
      await Promise.all(published);
      await until(() => stays.messages.length === round * 8);
      await until(() => comes.offsets().at(-1) === round * 8);
      const offsets = comes.offsets();
      expect(offsets).toEqual(range(offsets[0]!, round * 8));
      expect(offsets[0]).toBe(position.offset - replayed + 1);
      await comes.ask("leave", { room });
      comes.messages.length = 0;
    }
  });

  test("wait behind what a slow reader has not taken, and none of them is lost", async () => {
    const room = "stream:slow";
    const node = await start(true);
    const [slow, quick] = [await member(node, room), await member(node, room)];
    slow.pause();
    const data = "x".repeat(20_000);
    for (const wave of range(1, 10)) {
      await Promise.all(range(1, 4).map((n) => node.hub.publish(room, "n", data, { id: `n-${wave}-${n}` })));
      await quick.received(`"id":"n-${wave}-4"`);
    }
    slow.resume();
    const [a, b] = [await slow.received('"id":"n-10-4"'), await quick.received('"id":"n-10-4"')];
    expect(a.equals(b)).toBe(true);
  });
});

test("the answer to an upgrade and the first packet leave as one", async () => {
  const node = await start(true);
  const writes: string[] = [];
  node.hub.io.httpServer.on("upgrade", (_request: IncomingMessage, socket: Socket) => {
    for (const way of ["_write", "_writev"] as const) {
      const write = socket[way]!.bind(socket) as (...args: unknown[]) => void;
      Object.assign(socket, { [way]: (...args: unknown[]) => writes.push(way) && write(...args) });
    }
  });
  const connected = new Promise<void>((resolve) => node.hub.io.engine.once("connection", resolve));
  const opening = RawSocket.open(node.url);
  await connected;
  await new Promise(setImmediate);
  const first = [...writes];
  raws.push(await opening);
  expect(first).toEqual(["_writev"]);
});
