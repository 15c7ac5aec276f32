import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { packetHead, packetTail } from "../../shared/packet.ts";
import { range, ROOM, startCore, type Core, type Reader } from "../../test/support/core.ts";
import { until } from "../../test/support/wait.ts";
import { HubError } from "../../shared/errors.ts";
import { LocalBroker } from "../stores/local-broker.ts";
import { MemoryStore } from "../stores/memory/memory-store.ts";

let core: Core;
const cores: Core[] = [];
const begin = async (...options: Parameters<typeof startCore>): Promise<Core> => {
  const begun = await startCore(...options);
  cores.push(begun);
  return begun;
};

beforeEach(async () => {
  core = await begin();
});
afterEach(async () => {
  for (const ended of cores.splice(0)) {
    expect(ended.failures).toEqual([]);
    await ended.close();
  }
});

const headOf = async ({ hub }: Core) => (await hub.describe({ id: "x" }, ROOM)).position;

/** Lets nodes hear messages after the log's head that the log lacks, as after a store came back from an older snapshot. */
async function hearLost(count: number, ...nodes: Core[]): Promise<void> {
  const { epoch, offset } = await headOf(nodes[0]!);
  for (const at of range(offset + 1, offset + count)) {
    const place = { id: `lost-${at}`, epoch, offset: at, time: Date.now() + 1 };
    const packet = packetHead(ROOM, "log", "1", undefined) + packetTail(place);
    for (const { broker } of nodes) broker.inject({ room: ROOM, ...place, packet });
  }
}

const gapOf = async (reader: Reader) => until(() => reader.gaps[0], 2_000);

describe("a log that went back and kept its epoch", () => {
  it("gets another epoch, and its members go on after the last message that it still has", async () => {
    const reader = core.reader();
    const { position } = await core.join(reader);
    await core.publish(5);
    await hearLost(3, core);
    expect(reader.offsets).toEqual(range(1, 8));
    core.broker.interrupt();
    const gap = await gapOf(reader);
    const head = await headOf(core);
    expect(gap).toEqual({ room: ROOM, epoch: head.epoch, from: 1, to: 5, reason: "rolled_back" });
    expect(head.epoch).not.toBe(position.epoch);
    await core.publish(2);
    expect(reader.log.slice(-3)).toEqual([gap, 6, 7]);
    const back = core.reader();
    expect(await core.join(back, { since: head })).toMatchObject({ recovered: true, replayed: 2 });
  });

  it("is noticed by its next message, and nothing of what it has had since is missing", async () => {
    const reader = core.reader();
    await core.join(reader);
    await core.publish(5);
    await hearLost(3, core);
    await core.publish(1);
    const gap = await gapOf(reader);
    await until(() => reader.log.at(-1) === 6, 2_000);
    expect(gap).toMatchObject({ from: 1, to: 5, reason: "rolled_back" });
    expect(reader.log.slice(-2)).toEqual([gap, 6]);
    expect(core.broker.asked.renewEpoch).toBe(1);
  });

  it("is noticed when it has grown past what was heard of it", async () => {
    const reader = core.reader();
    await core.join(reader);
    await core.publish(5);
    await hearLost(3, core);
    core.broker.pass = () => [];
    await core.publish(10);
    core.broker.pass = undefined;
    core.broker.interrupt();
    const gap = await gapOf(reader);
    await until(() => reader.log.at(-1) === 15, 2_000);
    expect(reader.log.slice(-11)).toEqual([gap, ...range(6, 15)]);
    expect(gap.to).toBe(5);
  });

  it("has one new epoch on all nodes, and each tells its members once", async () => {
    const store = new MemoryStore();
    const nodes = await Promise.all([begin({ store }), begin({ store }), begin({ store })]);
    const readers = nodes.map((node) => node.reader());
    await Promise.all(nodes.map((node, i) => node.join(readers[i]!)));
    await nodes[0].publish(5);
    await hearLost(3, nodes[0], nodes[1]);
    // The third one has not heard what is lost: its members miss nothing, but their positions are of another epoch.
    for (const { broker } of nodes) broker.interrupt();
    await nodes[2].publish(3);
    await until(() => readers.every(({ log }) => log.at(-1) === 8), 3_000);
    const { epoch } = await headOf(nodes[0]);
    for (const reader of readers) {
      expect(reader.gaps).toEqual([
        { room: ROOM, epoch, from: 1, to: expect.any(Number), reason: "rolled_back" },
      ]);
      expect(reader.log.slice(reader.log.indexOf(reader.gaps[0]!) + 1)).toEqual(
        range(reader.gaps[0]!.to + 1, 8),
      );
    }
    expect(readers.slice(0, 2).map(({ gaps }) => gaps[0]!.to)).toEqual([5, 5]);
    expect(readers[2]!.offsets).toEqual(range(1, 8));
  });

  it("is told once, however often the store is away meanwhile", async () => {
    const reader = core.reader();
    await core.join(reader);
    await core.publish(2);
    await hearLost(1, core);
    let refusals = 0;
    core.broker.gate = (method) => {
      if (method === "check" || (refusals += 1) > 2) return;
      throw new HubError("unavailable", "the store is away");
    };
    core.broker.interrupt();
    await gapOf(reader);
    await core.publish(1);
    await until(() => reader.log.at(-1) === 3, 3_000);
    expect(reader.gaps).toHaveLength(1);
  });

  describe("and has let go of what shows it", () => {
    const begun = async (kept: number): Promise<{ small: Core; reader: Reader }> => {
      const small = await begin({ rooms: { "stream:*": { messages: kept, ageMs: 3_600_000 } } });
      const reader = small.reader();
      await small.join(reader);
      await small.publish(5);
      await hearLost(1, small);
      return { small, reader };
    };

    it.each([4, 6])("is told of, with %i new messages while nothing was heard", async (more) => {
      const { small, reader } = await begun(3);
      small.broker.pass = () => [];
      await small.publish(more);
      small.broker.pass = undefined;
      small.broker.interrupt();
      await until(() => reader.log.at(-1) === 5 + more, 2_000);
      const { epoch } = await headOf(small);
      const to = 2 + more;
      const gap = { room: ROOM, epoch, from: 7, to, reason: "trimmed" };
      expect(reader.log.slice(-4)).toEqual([gap, ...range(to + 1, 5 + more)]);
    });

    it("is told of before what is heard again", async () => {
      const { small, reader } = await begun(1);
      let open = (): void => {};
      small.broker.gate = () => new Promise((resolve) => (open = resolve));
      small.broker.interrupt();
      await until(() => small.broker.asked.check > 0, 2_000);
      await small.publish(2);
      small.broker.gate = undefined;
      open();
      await until(() => reader.log.at(-1) === 7, 2_000);
      const { epoch } = await headOf(small);
      expect(reader.log.slice(-2)).toEqual([{ room: ROOM, epoch, from: 7, to: 6, reason: "trimmed" }, 7]);
    });
  });

  it("further than the node remembers, goes on after what is older than all that was heard", async () => {
    const reader = core.reader();
    await core.publish(300);
    await core.join(reader);
    await hearLost(600, core);
    core.broker.interrupt();
    const gap = await gapOf(reader);
    expect(gap).toMatchObject({ from: 1, to: 300, reason: "rolled_back" });
    await core.publish(1);
    expect(reader.log.at(-1)).toBe(301);
  });

  it("deceives no one who comes back before the node has noticed", async () => {
    const reader = core.reader();
    await core.join(reader);
    await core.publish(5);
    await hearLost(3, core);
    const { position } = await core.join(core.reader());
    expect(position.offset).toBe(8);
    core.broker.away();
    const back = core.reader();
    const reply = await core.join(back, { since: position });
    expect(reply).toMatchObject({ recovered: false, position: { offset: 5 }, replayed: 5 });
    expect(reply.position.epoch).not.toBe(position.epoch);
    expect(reader.gaps).toHaveLength(1);
  });

  it("is never concluded from what a client says", async () => {
    const reader = core.reader();
    await core.join(reader);
    await core.publish(5);
    const head = await headOf(core);
    for (const since of [
      { ...head, id: "forged" },
      { ...head, offset: 3, id: "forged" },
      { ...head, offset: 99 },
    ]) {
      expect(await core.join(core.reader(), { since })).toMatchObject({
        recovered: false,
        reason: "rolled_back",
        replayed: 5,
      });
    }
    await core.publish(1);
    expect(await headOf(core)).toMatchObject({ epoch: head.epoch, offset: 6 });
    expect(reader.gaps).toEqual([]);
    expect(core.broker.asked.renewEpoch).toBe(0);
  });
});

describe("a log in another's place", () => {
  it("is heard from its first message, even if that has the same id at the same offset", async () => {
    const reader = core.reader();
    await core.join(reader);
    const say = (id: string) => core.hub.publish({ id: "x" }, ROOM, [{ event: "log", data: "1", id }]);
    for (const id of ["m-1", "m-2"]) await say(id);
    let now = Date.now() + 5;
    const store = new MemoryStore({ now: () => (now += 1) });
    await core.broker.replaceStore(new LocalBroker(store), ROOM);
    for (const id of ["m-1", "m-2"]) await say(id);
    await until(() => reader.offsets.length === 4, 2_000);
    const { epoch } = await headOf(core);
    expect(reader.log.slice(-3)).toEqual([
      { room: ROOM, epoch, from: 1, to: 0, reason: "epoch_changed" },
      1,
      2,
    ]);
  });

  it("is noticed in a quiet room within 5 s", async () => {
    const reader = core.reader();
    await core.join(reader);
    await core.publish(2);
    await core.broker.replaceStore(new LocalBroker(new MemoryStore()), ROOM);
    const gap = await until(() => reader.gaps[0], 5_000);
    expect(gap).toMatchObject({ from: 1, to: 0, reason: "epoch_changed" });
    await core.publish(1);
    expect(reader.offsets).toEqual([1, 2, 1]);
  });

  it("is told to a reader whose replay is under way, before what follows", async () => {
    await core.join(core.reader());
    await core.publish(5);
    const { messages } = await core.broker.read(ROOM, { after: 1, limit: 1 });
    const reader = core.reader();
    const changed = (async () => {
      // What the node knows of the log's ends is then too old to rely on.
      const began = performance.now();
      await until(() => performance.now() - began > 1_000, 2_000);
      await hearLost(1, core);
      // As another node does that finds out first.
      await core.broker.renewEpoch(ROOM, messages[0]!.epoch);
      core.broker.pass = () => [];
      await core.publish(3);
      core.broker.pass = undefined;
    })();
    reader.drain = () => changed;
    const reply = await core.join(reader, { since: messages[0]! });
    expect(reply).toMatchObject({ recovered: false, position: { offset: 8 } });
    expect(reader.log.slice(0, 4)).toEqual([
      3,
      4,
      5,
      expect.objectContaining({ epoch: reply.position.epoch }),
    ]);
    expect(reader.offsets.slice(-3)).toEqual([6, 7, 8]);
  });
});
