import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Room, RoomMessage } from "../../client/sdk/index.ts";
import type { Gap } from "../../shared/protocol.ts";
import { range } from "../support/core.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { Clients, failureOf } from "../support/sdk.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
const clients = new Clients();
let node: RunningNode;
let room: Room;
let pages: number;

beforeEach(async () => {
  node = await nodes.start();
  pages = 0;
  node.hub.io.use((socket, next) => {
    socket.onAny((event: string) => (pages += event === "history" ? 1 : 0));
    next();
  });
  room = clients.open(node.url).room("stream:log");
});

afterEach(async () => {
  clients.close();
  await nodes.close();
});

async function publish(count: number): Promise<void> {
  for (let n = 1; n <= count; n += 1) await node.hub.publish("stream:log", "log", n);
}

async function all(messages: AsyncIterable<RoomMessage>): Promise<RoomMessage[]> {
  const given: RoomMessage[] = [];
  for await (const message of messages) given.push(message);
  return given;
}

async function offsets(messages: AsyncIterable<RoomMessage>): Promise<number[]> {
  return (await all(messages)).map(({ offset }) => offset);
}

describe("history with the SDK", () => {
  test("goes back from the newest message and forward to it, without hole or overlap under live load", async () => {
    await publish(1_000);
    const enough = new AbortController();
    const publishing = (async () => {
      while (!enough.signal.aborted) {
        await publish(1);
        await nextTurn();
      }
    })();
    const back = await offsets(room.history());
    expect(back).toEqual(range(1, back[0]!).toReversed());
    expect(back.length).toBeGreaterThan(999);
    const forward: number[] = [];
    for await (const { offset } of room.history({ after: 0, pageSize: 300 })) {
      forward.push(offset);
      if (forward.length === 2_000) enough.abort();
    }
    enough.abort();
    await publishing;
    expect(forward).toEqual(range(1, forward.length));
    expect(forward.length).toBeGreaterThan(back[0]!);
  }, 60_000);

  test("gives whole messages, as many as were asked for", async () => {
    await publish(10);
    const [newest] = await all(room.history({ limit: 1 }));
    expect(newest).toMatchObject({ room: "stream:log", event: "log", data: 10, offset: 10 });
    expect(await offsets(room.history({ before: 8, limit: 3, pageSize: 2 }))).toEqual([7, 6, 5]);
    expect(await offsets(room.history({ before: newest!, limit: 2 }))).toEqual([9, 8]);
    expect(await offsets(room.history({ after: 8 }))).toEqual([9, 10]);
    expect(await offsets(room.history({ after: newest! }))).toEqual([]);
    expect(await offsets(clients.open(node.url).room("stream:empty").history())).toEqual([]);
  });

  test("fetches a page only when somebody reads on", async () => {
    await publish(10);
    const messages = room.history({ pageSize: 2 });
    expect(pages).toBe(0);
    const read = [await messages.next(), await messages.next()];
    expect(read.map(({ value }) => value?.offset)).toEqual([10, 9]);
    expect(pages).toBe(1);
    expect((await messages.next()).value?.offset).toBe(8);
    expect(pages).toBe(2);
    await messages.return();
    expect((await messages.next()).done).toBe(true);
    expect(pages).toBe(2);
  });

  test("tells what is missing before it gives what follows, and going back ends there", async () => {
    await publish(4);
    const [fourth] = await all(room.history({ limit: 1 }));
    const gaps: Gap[] = [];
    const onGap = (gap: Gap): void => void gaps.push(gap);
    await fetch(`${node.url}/rooms/stream%3Alog/messages`, { method: "DELETE" });
    await publish(2);
    expect(await offsets(room.history({ after: 1, onGap }))).toEqual([5, 6]);
    const { epoch } = fourth!;
    expect(gaps).toEqual([{ room: "stream:log", epoch, from: 2, to: 4, reason: "trimmed" }]);
    const other = { epoch: "other", offset: 9, id: "x" };
    expect(await offsets(room.history({ after: other, onGap }))).toEqual([5, 6]);
    expect(await offsets(room.history({ before: other, onGap }))).toEqual([]);
    expect(gaps.slice(1)).toMatchObject([{ reason: "epoch_changed" }, { reason: "epoch_changed" }]);
  });

  test("waits for the hub, until its signal or the client's end", async () => {
    const away = clients.open("http://127.0.0.1:9").room("stream:log");
    const giveUp = new AbortController();
    const [aborted, ended] = [away.history({ signal: giveUp.signal }).next(), away.history().next()];
    giveUp.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    clients.close();
    expect(await failureOf(ended)).toMatchObject({ code: "bad_request" });
  });

  test("throws what the hub refuses", async () => {
    await until(() => node.hub.io.engine.clientsCount > 0);
    expect(await failureOf(room.history({ after: 1, before: 2 }).next())).toMatchObject({
      code: "bad_request",
    });
    expect(await failureOf(room.history({ pageSize: 301 }).next())).toMatchObject({ code: "bad_request" });
  });
});
