import { afterAll, afterEach, beforeAll } from "@jest/globals";
import type { RoomName } from "../../shared/room-name.ts";
import { RedisCluster } from "../support/redis-cluster.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";
import { appendAll, freshRoom } from "./broker-nodes.ts";
import { RedisBench, type RedisNode } from "./redis-nodes.ts";

export interface Spread {
  readonly a: RedisNode;
  readonly b: RedisNode;
  /** One on each master, in their order. */
  readonly rooms: readonly [RoomName, RoomName, RoomName];
}

/** One cluster for all tests of a file, which saves all it has, and a bench for each test. */
export class ClusterBench extends RedisBench {
  #shared: RedisCluster | undefined;

  constructor() {
    super();
    beforeAll(async () => {
      this.#shared = await RedisCluster.start({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
    }, 30_000);
    afterEach(() => this.end());
    afterAll(() => this.#shared?.stop());
  }

  get shared(): RedisCluster {
    return this.#shared!;
  }

  get masters(): readonly [RedisServer, RedisServer, RedisServer] {
    return this.shared.masters as unknown as [RedisServer, RedisServer, RedisServer];
  }

  /** A room of no other test for each master, in their order. */
  async roomOnEach(): Promise<Spread["rooms"]> {
    const rooms = new Map<RedisServer, RoomName>();
    while (rooms.size < this.masters.length) {
      const room = freshRoom();
      rooms.set(await this.shared.masterOf(room), room);
    }
    return this.masters.map((master) => rooms.get(master)!) as unknown as Spread["rooms"];
  }

  /** Two nodes that hold a room on each master, in which one message each has come. */
  async spread(): Promise<Spread> {
    const [a, b] = [await this.node(this.shared), await this.node(this.shared)];
    const rooms = await this.roomOnEach();
    for (const room of rooms) {
      await Promise.all([a.broker.subscribe(room), b.broker.subscribe(room)]);
      await appendAll(a.broker, room, [1]);
      await until(() => [a, b].every(({ ear }) => ear.of(room).length === 1));
    }
    return { a, b, rooms };
  }
}
