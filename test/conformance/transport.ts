import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { HubOptions } from "../../server/index.ts";
import { randomId } from "../../shared/message-id.ts";
import { range } from "../support/core.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

/** Where a reader begins; without anything, with what comes from now on. */
export interface ReaderStart {
  readonly since?: string;
  readonly rewind?: number;
}

/** One reader of `stream:<name>`, over whatever wire. */
export interface WireReader {
  /** The numbers of the messages that came, in their order. */
  readonly numbers: readonly number[];
  /** It has heard a call: a message with the number 0, which is kept nowhere. */
  readonly called: boolean;
  /** The reasons of gaps that it was told, each with how many messages came before. */
  readonly gaps: readonly { readonly reason: string; readonly after: number }[];
  /** The connection has ended, or the wire says that it is over. */
  readonly ended: boolean;
  /** Takes nothing from the network until `resume`. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** A wire as the suite sees it. */
export interface Wire {
  /** Connects and begins to join; what is refused ends the reader. */
  read(url: string, name: string, start: ReaderStart): Promise<WireReader>;
}

/** What every transport does alike: the same script for each. */
export function describeTransport(name: string, wire: Wire, optionsOf: () => HubOptions = () => ({})): void {
  describe(`rooms over ${name}`, () => {
    const nodes = new Nodes();
    const readers: WireReader[] = [];
    let node: RunningNode;
    let room: string;

    beforeEach(async () => {
      node = await nodes.start(optionsOf());
      // Stores may outlive their nodes.
      room = randomId();
    });

    afterEach(async () => {
      readers.splice(0).forEach((reader) => reader.close());
      await nodes.close();
    });

    async function read(start: ReaderStart = {}, url = node.url): Promise<WireReader> {
      const reader = await wire.read(url, room, start);
      readers.push(reader);
      return reader;
    }

    /** Reads what comes from now on; resolves when it does. */
    async function readLive(url = node.url): Promise<WireReader> {
      const reader = await read({}, url);
      // A connection counts as soon as it begins to join, and not every wire says when it has.
      await until(async () => {
        await node.hub.publish(`stream:${room}`, "log", { message: "0" }, { ephemeral: true });
        return reader.called;
      });
      return reader;
    }

    async function connections(): Promise<number> {
      const reply = await fetch(`${node.url}/rooms/stream%3A${room}`);
      return ((await reply.json()) as { connections: number }).connections;
    }

    /** Publishes one after the other and gives the cursor of each. */
    async function publish(first: number, last: number, hub = node.hub): Promise<string[]> {
      const cursors: string[] = [];
      for (const n of range(first, last)) {
        const reply = await hub.publish(`stream:${room}`, "log", { message: String(n) });
        if ("cursor" in reply) cursors.push(reply.cursor);
      }
      return cursors;
    }

    const got = (reader: WireReader, last: number): Promise<unknown> =>
      until(() => reader.numbers.at(-1) === last);

    it("brings what is published from now on, in order", async () => {
      await publish(1, 3);
      const reader = await readLive();
      await publish(4, 50);
      await got(reader, 50);
      expect([reader.numbers, reader.gaps]).toEqual([range(4, 50), []]);
    });

    it("goes on after a cursor, over many pages and while publishers race", async () => {
      const cursors = await publish(1, 400);
      const racing = publish(401, 500);
      const reader = await read({ since: cursors[9]! });
      await racing;
      await got(reader, 500);
      expect([reader.numbers, reader.gaps]).toEqual([range(11, 500), []]);
    });

    it("begins with the last messages", async () => {
      await publish(1, 30);
      const reader = await read({ rewind: 5 });
      await got(reader, 30);
      await publish(31, 31);
      await got(reader, 31);
      expect(reader.numbers).toEqual(range(26, 31));
    });

    it("says that it can't go on, before anything else, and begins with what is kept", async () => {
      await publish(1, 3);
      const reader = await read({ since: "gone.2.x" });
      await got(reader, 3);
      expect([reader.numbers, reader.gaps]).toEqual([range(1, 3), [{ reason: "epoch_changed", after: 0 }]]);
    });

    it("leaves its room when it is closed", async () => {
      const [leaving, staying] = [await readLive(), await readLive()];
      await publish(1, 1);
      await got(leaving, 1);
      leaving.close();
      await until(async () => (await connections()) === 1);
      await publish(2, 2);
      await got(staying, 2);
      expect([leaving.numbers, staying.numbers]).toEqual([[1], [1, 2]]);
    });

    it.each([{ since: "not a cursor" }, { since: "e.1" }, { rewind: -1 }])(
      "refuses %j, and nobody else notices",
      async (start) => {
        const other = await readLive();
        const bad = await read(start);
        await until(() => bad.ended);
        await publish(1, 1);
        await got(other, 1);
        expect(bad.numbers).toEqual([]);
      },
    );

    it("refuses a room whose name is not allowed", async () => {
      const bad = await wire.read(node.url, "a b", {});
      readers.push(bad);
      await until(() => bad.ended);
    });

    it("gives up a reader that takes nothing, while others get everything", async () => {
      const [slow, other] = [await readLive(), await readLive()];
      slow.pause();
      const message = "x".repeat(60_000);
      for (const n of range(1, 400)) {
        await node.hub.publish(`stream:${room}`, "log", { message: `${n} ${message}` });
        if (n % 8 === 0) await got(other, n);
      }
      await until(async () => (await connections()) === 1);
      slow.resume();
      await until(() => slow.ended);
      expect(other.numbers).toEqual(range(1, 400));
      expect(slow.numbers).toEqual(range(1, slow.numbers.length));
      expect(slow.numbers.length).toBeLessThan(400);
    });

    it("ends when its node stops", async () => {
      const reader = await readLive();
      await publish(1, 20);
      // With Redis, a publisher may have its answer before the node has the message.
      await got(reader, 20);
      await node.hub.close();
      await until(() => reader.ended);
      expect(reader.numbers).toEqual(range(1, 20));
    });

    it("brings the same messages in the same order as on another node, and goes on there", async () => {
      const options = optionsOf();
      if (options.redisUrl === undefined) return;
      const second = await nodes.start(options);
      const [here, there] = [await readLive(), await readLive(second.url)];
      await Promise.all([publish(1, 100), publish(101, 200, second.hub)]);
      await until(() => here.numbers.length === 200 && there.numbers.length === 200);
      expect(there.numbers).toEqual(here.numbers);
      const [cursor] = await publish(201, 201);
      await publish(202, 210);
      const returned = await read({ since: cursor! }, second.url);
      await got(returned, 210);
      expect([returned.numbers, returned.gaps]).toEqual([range(202, 210), []]);
    });
  });
}
