import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Client, Published } from "../../client/sdk/index.ts";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { range } from "../support/core.ts";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { Nodes, type RunningNode, type StockClient } from "../support/nodes.ts";
import { Clients, FAST, failureOf } from "../support/sdk.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
const clients = new Clients();
let node: RunningNode;
let proxy: FaultProxy;
let client: Client;
let reader: StockClient;

beforeEach(async () => {
  node = await nodes.start({ limits: FAST });
  proxy = await FaultProxy.start(Number(new URL(node.url).port));
  client = clients.open(`http://127.0.0.1:${proxy.port}`, { username: "ana" });
  reader = await nodes.client(node.url);
  await reader.join("chat:lobby");
  await connected();
});

afterEach(async () => {
  clients.close();
  await proxy.close();
  await nodes.close();
});

const connected = () => until(() => client.status === "connected", 20_000);
const received = (): unknown[] => reader.messages.map(({ data }) => data);

async function cut(): Promise<void> {
  await proxy.set("refuse");
  proxy.resetAll();
  await until(() => client.status === "reconnecting");
}

describe("publishing with the SDK", () => {
  test("goes on over an outage: exactly once, in order, with the ids that it began with", async () => {
    const room = client.room("chat:lobby");
    const replies: Promise<Published>[] = [];
    let answered = 0;
    const publishing = (async () => {
      for (const i of range(1, 2_000)) {
        await until(() => i - answered <= 900, 30_000);
        const reply = room.publish("message", i, { id: `m-${i}` });
        replies.push(reply);
        void reply.finally(() => (answered += 1));
      }
    })();
    await until(() => received().length > 100);
    await cut();
    const offline = received().length;
    await until(() => replies.length >= offline + 800);
    await proxy.set("pass");
    await connected();
    await until(() => received().length > offline);
    // And once more where the hub has done what was asked, and its answers are lost.
    await proxy.set("lose");
    await until(() => client.status === "reconnecting");
    await proxy.set("pass");
    await publishing;
    expect((await Promise.all(replies)).map(({ id, offset }) => [id, offset])).toEqual(
      range(1, 2_000).map((i) => [`m-${i}`, i]),
    );
    await until(() => received().length >= 2_000);
    expect(received()).toEqual(range(1, 2_000));
    expect(reader.offsets()).toEqual(range(1, 2_000));
  }, 90_000);

  test("refuses at once what the queue has no room for, and sends all the rest", async () => {
    await cut();
    const room = client.room("chat:lobby");
    const queued = range(1, 1_000).map((i) => room.publish("message", i));
    expect(await failureOf(room.publish("message", 1_001))).toMatchObject({
      code: "store_full",
      message: "too much waits for the hub already: 1000 messages, 2893 bytes",
    });
    await proxy.set("pass");
    expect((await Promise.all(queued)).map(({ offset }) => offset)).toEqual(range(1, 1_000));
    await until(() => received().length === 1_000);
    expect(received()).toEqual(range(1, 1_000));
    await room.publish("message", "there is room again");
  }, 60_000);

  test("counts the bytes of what waits, too", async () => {
    const small = clients.open("http://127.0.0.1:9", { queue: { bytes: 10 } }).room("chat:lobby");
    const first = failureOf(small.publish("message", "1234567"));
    expect(await failureOf(small.publish("message", ""))).toMatchObject({ code: "store_full" });
    clients.close();
    expect(await first).toMatchObject({ code: "bad_request" });
  });

  test("sends what was said, whatever becomes of the object meanwhile", async () => {
    await cut();
    const data = { text: "before" };
    const reply = client.room("chat:lobby").publish("message", data);
    data.text = "after";
    await proxy.set("pass");
    await reply;
    await until(() => received().length === 1);
    expect(received()).toEqual([{ text: "before" }]);
  });

  test("waits out the rate limit, in order", async () => {
    const slow = await nodes.start({ limits: { messagesPerSecond: 50, messageBurst: 5 } });
    const room = clients.open(slow.url).room("chat:lobby");
    const started = performance.now();
    const replies = await Promise.all(range(1, 30).map((i) => room.publish("message", i)));
    expect(replies.map(({ offset }) => offset)).toEqual(range(1, 30));
    // 25 above the burst take half a second.
    expect(performance.now() - started).toBeGreaterThan(400);
  });

  test("gives up after its time or on its signal, says whether the message was sent, and sends the rest", async () => {
    await cut();
    const room = client.room("chat:lobby");
    const giveUp = new AbortController();
    const first = failureOf(room.publish("message", 1, { timeoutMs: 50 }));
    const second = failureOf(room.publish("message", 2, { signal: giveUp.signal }));
    const third = room.publish("message", 3);
    giveUp.abort(new Error("changed my mind"));
    expect(await second).toMatchObject({ code: "unavailable", message: "the message was not sent" });
    expect((await second).cause).toEqual(new Error("changed my mind"));
    expect(await first).toMatchObject({ code: "unavailable", message: "the message was not sent" });
    expect(await failureOf(room.publish("message", 4, { signal: giveUp.signal }))).toMatchObject({
      code: "unavailable",
    });
    await proxy.set("pass");
    await third;
    await until(() => received().length > 0);
    expect(received()).toEqual([3]);
    await proxy.set("hang");
    expect((await failureOf(room.publish("message", 5, { timeoutMs: 50 }))).message).toMatch(/unknown/);
    const last = failureOf(room.publish("message", 6));
    client.close();
    expect(await last).toMatchObject({ code: "bad_request" });
  });

  test("sends an ephemeral message now or not at all", async () => {
    const room = client.room("chat:lobby");
    const reply = await room.publish("typing", {}, { ephemeral: true });
    expect(reply).toEqual({ ok: true, room: "chat:lobby", id: reply.id, ephemeral: true });
    await until(() => received().length === 1);
    await cut();
    expect(await failureOf(room.publish("typing", {}, { ephemeral: true }))).toMatchObject({
      code: "unavailable",
    });
    await proxy.set("pass");
    await room.publish("message", "kept");
    expect(received()).toEqual([{}, "kept"]);
  });

  test("refuses what is no JSON or would end the connection, and goes on after what the hub refuses", async () => {
    const room = client.room("chat:lobby");
    const refused = [
      failureOf(room.publish("message", undefined)),
      failureOf(room.publish("message", new Uint8Array(1))),
      failureOf(room.publish("message", "x".repeat(DEFAULT_LIMITS.frameBytes))),
      failureOf(room.publish("message", "x".repeat(DEFAULT_LIMITS.dataBytes))),
      failureOf(room.publish("room:gap", 1)),
      failureOf(room.publish("message", 1, { id: "not allowed" })),
    ];
    const reply = room.publish("message", "good");
    expect((await Promise.all(refused)).map(({ code }) => code)).toEqual([
      "bad_request",
      "bad_request",
      "too_large",
      "too_large",
      "bad_event",
      "bad_request",
    ]);
    expect(await reply).toMatchObject({ offset: 1, duplicate: false });
    expect(client.status).toBe("connected");
  });
});
