import { slotOf, SLOTS } from "../../server/stores/redis/slot.ts";
import { freePort, RedisServer } from "./redis-server.ts";
import { until } from "./wait.ts";

/** A master without replicas must not take the others' slots along, and is soon taken for dead. */
const ARGS = [
  "--cluster-enabled",
  "yes",
  "--cluster-require-full-coverage",
  "no",
  "--cluster-node-timeout",
  "1500",
  "--repl-diskless-sync-delay",
  "0",
];

/** Each question is asked over connections of its own. */
const POLL_MS = 50;

export interface RedisClusterOptions {
  readonly masters?: number;
  /** Of `redis-server`, for each of them. */
  readonly args?: readonly string[];
}

/** Is a real Redis Cluster of a test's own: masters without replicas, which share the slots evenly. */
export class RedisCluster {
  readonly masters: readonly RedisServer[];
  readonly #replicas: RedisServer[] = [];

  private constructor(masters: readonly RedisServer[]) {
    this.masters = masters;
  }

  static async start({ masters = 3, args = [] }: RedisClusterOptions = {}): Promise<RedisCluster> {
    const started = Array.from({ length: masters }, async () =>
      // By itself a master talks to the others on its port + 10,000, which may be none.
      RedisServer.start(...ARGS, "--cluster-port", String(await freePort()), ...args),
    );
    const cluster = new RedisCluster(await Promise.all(started));
    const share = SLOTS / masters;
    await cluster.each((master, i) => {
      const range = [Math.ceil(i * share), Math.ceil((i + 1) * share) - 1].map(String);
      return master.command("CLUSTER", "ADDSLOTSRANGE", ...range);
    });
    const [first, ...others] = cluster.masters;
    await cluster.each((master, i) => master.command("CLUSTER", "SET-CONFIG-EPOCH", String(i + 1)));
    for (const other of others) await meet(first!, other);
    await cluster.agreed();
    return cluster;
  }

  /** The address of the first master. */
  get url(): string {
    return this.masters[0]!.url;
  }

  /** Waits until every master knows all of them, and says that the cluster works. */
  async agreed(): Promise<void> {
    await until(
      async () => {
        const infos = await this.each((master) => master.command("CLUSTER", "INFO"));
        const all = `cluster_slots_ok:${SLOTS}`;
        return infos.every((info) => String(info).includes("cluster_state:ok") && String(info).includes(all));
      },
      15_000,
      POLL_MS,
    );
  }

  /** Has clients sent to another port of this machine instead of a master's own; resolves when all masters know. */
  async announce(master: RedisServer, port: number): Promise<void> {
    await master.command("CONFIG", "SET", "cluster-announce-port", String(port));
    await this.#known(port);
  }

  /** Adds a replica of a master; resolves when it has what the master has. */
  async addReplica(master: RedisServer): Promise<RedisServer> {
    const replica = await RedisServer.start(...ARGS, "--cluster-port", String(await freePort()));
    this.#replicas.push(replica);
    await meet(master, replica);
    const id = String(await master.command("CLUSTER", "MYID"));
    await until(() => replica.command("CLUSTER", "REPLICATE", id));
    await until(async () =>
      String(await replica.command("INFO", "replication")).includes("master_link_status:up"),
    );
    // It needs the votes of masters that know it.
    await this.#known(replica.port);
    return replica;
  }

  /** The master that has a key or channel, by what the first one says that can be asked. */
  async masterOf(key: string): Promise<RedisServer> {
    const slot = slotOf(key);
    for (const asked of this.masters) {
      const reply = (await asked.command("CLUSTER", "SLOTS").catch(() => [])) as [
        number,
        number,
        [string, number],
      ][];
      const range = reply.find(([from, to]) => from <= slot && slot <= to);
      const found = this.masters.find(({ port }) => port === range?.[2][1]);
      if (found !== undefined) return found;
    }
    throw new Error(`nobody has slot ${slot}`);
  }

  /**
   * Begins to move a slot: from now on a key that is not there yet belongs to the other master.
   *
   * @returns what moves the keys there are, and what ends the move
   */
  async moving(slot: number, from: RedisServer, to: RedisServer) {
    const [fromId, toId] = await Promise.all(
      [from, to].map(async (master) => String(await master.command("CLUSTER", "MYID"))),
    );
    await to.command("CLUSTER", "SETSLOT", String(slot), "IMPORTING", fromId!);
    await from.command("CLUSTER", "SETSLOT", String(slot), "MIGRATING", toId!);
    const keys = async (): Promise<string[]> =>
      (await from.command("CLUSTER", "GETKEYSINSLOT", String(slot), "100")) as string[];
    return {
      keys,
      moveKeys: async (...names: string[]) =>
        from.command("MIGRATE", "127.0.0.1", String(to.port), "", "0", "5000", "KEYS", ...names),
      end: async () => {
        for (const master of [to, from])
          await master.command("CLUSTER", "SETSLOT", String(slot), "NODE", toId!);
      },
    };
  }

  /** Moves a slot with all its keys. */
  async move(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
    const { keys, moveKeys, end } = await this.moving(slot, from, to);
    for (let names = await keys(); names.length > 0; names = await keys()) await moveKeys(...names);
    await end();
  }

  async #known(port: number): Promise<void> {
    await until(
      async () => {
        const replies = await this.each((asked) => asked.command("CLUSTER", "SLOTS"));
        return replies.every((reply) => JSON.stringify(reply).includes(`["127.0.0.1",${port},`));
      },
      10_000,
      POLL_MS,
    );
  }

  each<T>(act: (master: RedisServer, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.masters.map(act));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.masters, ...this.#replicas].map((server) => server.stop()));
  }
}

async function meet(one: RedisServer, other: RedisServer): Promise<void> {
  const busPort = other.args[other.args.indexOf("--cluster-port") + 1]!;
  await one.command("CLUSTER", "MEET", "127.0.0.1", String(other.port), busPort);
}
