import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { range } from "../support/core.ts";
import { Commands } from "../support/commands.ts";
import { FaultProxy } from "../../chaos/fault-proxy.ts";
import { Nodes } from "../support/nodes.ts";
import { PublishingProcess } from "../support/publishing-process.ts";
import { RedisServer } from "../support/redis-server.ts";
import { Balancer, Clients, FAST, listen } from "../support/sdk.ts";
import { until } from "../support/wait.ts";

const TOTAL = 2_000;

const nodes = new Nodes();
const clients = new Clients();
let commands: Commands;
let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  clients.close();
  await nodes.close();
  await commands?.close();
});
afterAll(() => redis.stop());

describe("a room of the SDK", () => {
  test("takes nothing that is left of an earlier membership for what follows its `since`", async () => {
    const node = await nodes.start();
    for (const i of range(1, 3)) await node.hub.publish("stream:stray", "log", i);
    const client = clients.open(node.url);
    const room = client.room("stream:stray", { since: "0123456789abcdef.7.gone" });
    const heard = listen(room);
    const gaps: string[] = [];
    room.on("room:gap", ({ reason }) => gaps.push(reason));
    await until(() => client.status === "connected");
    const joining = room.join();
    const stray = { room: "stream:stray", id: "x", epoch: "fedcba9876543210", offset: 9, time: 1 };
    for (const listener of client.socket.listenersAny()) listener("log", "stray", stray);
    expect(await joining).toMatchObject({ recovered: false, reason: "epoch_changed" });
    expect(heard.data).toEqual([1, 2, 3]);
    expect(gaps).toEqual(["epoch_changed"]);
  });

  test("goes on after cuts, in the middle of its replay too, with nothing lost, doubled or reordered", async () => {
    const node = await nodes.start({ limits: FAST });
    const proxy = await FaultProxy.start(Number(new URL(node.url).port));
    try {
      const client = clients.open(`http://127.0.0.1:${proxy.port}`);
      const room = client.room("stream:cuts");
      const heard = listen(room);
      await room.join();
      const publishing = (async () => {
        for (const i of range(1, TOTAL)) {
          await node.hub.publish("stream:cuts", "log", i);
          await nextTurn();
        }
      })();
      for (const cuts of range(1, 4)) {
        const before = heard.story.length;
        await until(() => room.status === "live" && (cuts > 1 || heard.story.length > 0), 20_000);
        proxy.resetAll();
        await until(() => heard.statuses.filter((status) => status === "resuming").length >= cuts);
        // Again as soon as the first of what was missed has come, or nothing more is to come.
        await until(() => heard.story.length > before || room.status === "live", 20_000);
        proxy.resetAll();
        await until(() => client.status === "connected", 20_000);
      }
      await publishing;
      await until(() => heard.story.length >= TOTAL, 20_000);
      expect(heard.story).toEqual(range(1, TOTAL));
      expect(heard.data).toEqual(range(1, TOTAL));
      await until(() => room.status === "live", 20_000);
      expect(room.position?.offset).toBe(TOTAL);
      expect(room.cursor).toBe(`${room.position?.epoch}.${TOTAL}.${room.position?.id}`);
    } finally {
      await proxy.close();
    }
  }, 90_000);

  test("goes on after every change of the node, on either side", async () => {
    const options = { redisUrl: redis.url, limits: FAST };
    const [a, b] = [await nodes.start(options), await nodes.start(options)];
    const balancer = await Balancer.start(a.url);
    try {
      const client = clients.open(balancer.url);
      const [room, other] = [client.room("stream:moves"), client.room("chat:moves")];
      const [heard, heardToo] = [listen(room), listen(other)];
      await Promise.all([room.join(), other.join()]);
      const publishing = (async () => {
        for (const i of range(1, TOTAL)) {
          await a.hub.publish("stream:moves", "log", i);
          if (i % 4 === 0) await b.hub.publish("chat:moves", "message", i);
        }
      })();
      for (const moves of range(1, 4)) {
        await until(() => heard.story.length > 0 && room.status === "live", 20_000);
        balancer.moveTo(moves % 2 === 1 ? b.url : a.url);
        await until(() => heard.statuses.filter((status) => status === "live").length > moves, 20_000);
      }
      await publishing;
      await until(() => heard.story.length >= TOTAL && heardToo.story.length >= TOTAL / 4, 20_000);
      expect(heard.story).toEqual(range(1, TOTAL));
      expect(heardToo.story).toEqual(range(1, TOTAL / 4));
    } finally {
      await balancer.close();
    }
  }, 90_000);

  test("goes on within 5 s after its hub was killed and is there again, with what came meanwhile", async () => {
    commands = new Commands();
    const args = ["--redis-url", redis.url];
    let hub = await commands.serve(args);
    const client = clients.open(hub.url);
    const room = client.room("stream:killed");
    const heard = listen(room);
    await room.join();
    const worker = new PublishingProcess(1, { REDIS_URL: redis.url });
    try {
      for (const kills of range(1, 2)) {
        await worker.start("stream:killed", TOTAL / 2);
        await until(() => heard.story.length > (TOTAL / 2) * (kills - 1), 20_000);
        await hub.end("SIGKILL");
        await until(() => room.status === "resuming");
        hub = await commands.serve([...args, "--port", new URL(hub.url).port]);
        await until(() => room.status === "live", 5_000);
        await worker.answered((TOTAL / 2) * kills);
      }
      await until(() => heard.story.length >= TOTAL, 20_000);
      expect(heard.story).toEqual(range(1, TOTAL));
      expect(heard.statuses).toEqual(["joining", "live", "resuming", "live", "resuming", "live"]);
    } finally {
      await worker.end();
    }
  }, 90_000);

  test("tells the gap before what follows it, where the hub's memory was lost", async () => {
    commands = new Commands();
    const hub = await commands.serve();
    const publish = async (data: number): Promise<void> => {
      const body = JSON.stringify({ event: "n", data });
      const headers = { "content-type": "application/json" };
      await fetch(`${hub.url}/rooms/chat%3Alobby/messages`, { method: "POST", body, headers });
    };
    const room = clients.open(hub.url).room("chat:lobby");
    const heard = listen(room);
    await room.join();
    for (const i of [1, 2, 3]) await publish(i);
    await until(() => heard.story.length === 3);
    await hub.end("SIGKILL");
    await commands.serve(["--port", new URL(hub.url).port]);
    await publish(4);
    await until(() => room.status === "live");
    await publish(5);
    await until(() => heard.data.length === 5);
    expect(heard.story).toEqual([1, 2, 3, "gap 1-0 epoch_changed", 1, 2]);
    expect(heard.data).toEqual([1, 2, 3, 4, 5]);
  }, 60_000);

  test("asks a join again in which nothing arrives", async () => {
    let joins = 0;
    // None is answered before the third.
    const authorize = (): Promise<boolean> => until(() => joins >= 3);
    const node = await nodes.start({ authorize });
    node.hub.io.use((socket, next) => {
      socket.onAny((event: string) => (joins += event === "join" ? 1 : 0));
      next();
    });
    const room = clients.open(node.url).room("chat:lobby", { silenceMs: 100 });
    await room.join();
    expect(joins).toBe(3);
  });

  test("says nothing of a room that was left, and goes on from there when it is joined again", async () => {
    const node = await nodes.start();
    const room = clients.open(node.url).room("chat:lobby");
    const heard = listen(room);
    await room.join();
    await node.hub.publish("chat:lobby", "n", 1);
    await until(() => heard.story.length === 1);
    await room.leave();
    expect(room.status).toBe("left");
    await node.hub.publish("chat:lobby", "n", 2);
    expect(await room.join()).toMatchObject({ recovered: true, replayed: 1 });
    expect(heard.data).toEqual([1, 2]);
    expect(heard.statuses).toEqual(["joining", "live", "left", "joining", "live"]);
  });

  test("asks for what lies between, should a message come before its turn", async () => {
    const node = await nodes.start();
    const room = clients.open(node.url).room("chat:lobby");
    const heard = listen(room);
    await room.join();
    await node.hub.publish("chat:lobby", "n", 1);
    await until(() => heard.story.length === 1);
    node.hub.to("chat:lobby").emit("n", 9, { room: "chat:lobby", id: "x", offset: 9, epoch: "other" });
    await until(() => heard.statuses.includes("resuming"));
    await node.hub.publish("chat:lobby", "n", 2);
    // The message may come with the replay or, should the room be back already, after it.
    await until(() => heard.statuses.length === 4 && heard.story.length === 2);
    expect(heard.data).toEqual([1, 2]);
    expect(heard.statuses).toEqual(["joining", "live", "resuming", "live"]);
  });

  test("tells nothing to a listener that was taken off", async () => {
    const node = await nodes.start();
    const room = clients.open(node.url).room("chat:lobby");
    const heard = listen(room);
    const off = (): void => void heard.story.push("off");
    room.on("n", off).onAny(off).on("room:joined", off).off("n", off).offAny(off).off("room:joined", off);
    await room.join();
    await node.hub.publish("chat:lobby", "n", 1);
    await until(() => heard.story.length > 0);
    expect(heard.story).toEqual([1]);
  });
});
