import type { Connection } from "./connection.ts";
import { within } from "./deadline.ts";

type Checked = Pick<Connection, "address" | "isCluster" | "run">;

/** What is set about keeping on one server; undefined where it does not say. */
interface Settings {
  readonly policy: string | undefined;
  readonly appendsToFile: boolean | undefined;
  readonly savesSnapshots: boolean | undefined;
  readonly replicas: number | undefined;
  readonly waitsForReplicas: boolean | undefined;
  readonly needsAllSlots: boolean | undefined;
}

const CONFIG = [
  "maxmemory-policy",
  "appendonly",
  "save",
  "min-replicas-to-write",
  "cluster-require-full-coverage",
];
const INFO = ["memory", "persistence", "replication"];

/**
 * Says what may be lost the way these servers are set up, each thing once, for operators. Never rejects, and says after
 * `ms` that it could not find out.
 */
export async function checkServers(connections: readonly Checked[], ms: number): Promise<readonly string[]> {
  const places = new Map<string, string[]>();
  await Promise.all(
    connections.map(async (connection) => {
      const settings = await within(settingsOf(connection), ms, () => new Error("late")).catch(
        () => undefined,
      );
      for (const warning of warningsOf(settings, connection.isCluster)) {
        places.set(warning, [...(places.get(warning) ?? []), connection.address]);
      }
    }),
  );
  return [...places].map(([warning, addresses]) => `Redis ${addresses.toSorted().join(", ")}: ${warning}`);
}

function warningsOf(settings: Settings | undefined, isCluster: boolean): readonly string[] {
  const { policy, appendsToFile, savesSnapshots } = settings ?? {};
  const { replicas = 0, waitsForReplicas, needsAllSlots } = settings ?? {};
  const warnings: string[] = [];
  if (policy === undefined || appendsToFile === undefined)
    warnings.push(
      "it does not let this account see how it keeps what it is given (CONFIG GET, INFO), so whether rooms can be lost is not known",
    );
  if (policy !== undefined && policy !== "noeviction")
    warnings.push(
      `maxmemory-policy is ${policy}: when its memory is full it drops rooms or parts of them. Their members are told epoch_changed or trimmed, and a message that is sent again may be stored twice. Set it to noeviction`,
    );
  if (appendsToFile === false && savesSnapshots === false)
    warnings.push(
      "persistence is off: a restart of Redis loses all rooms, and their members are told epoch_changed. Set appendonly to yes",
    );
  if (appendsToFile === false && savesSnapshots !== false)
    warnings.push(
      `${savesSnapshots === true ? "only snapshots are saved" : "appendonly is no"}: a crash of Redis loses what came since the last snapshot, if there is one, and members are told rolled_back or epoch_changed. Set appendonly to yes`,
    );
  if (replicas > 0 && waitsForReplicas === false)
    warnings.push(
      "min-replicas-to-write is 0: a failover may lose acknowledged messages that no replica has yet, and members are told rolled_back",
    );
  if (isCluster && replicas === 0 && needsAllSlots === true)
    warnings.push(
      "cluster-require-full-coverage is yes, and this master has no replica: without it no room can be served, those of other masters included",
    );
  return warnings;
}

async function settingsOf(connection: Checked): Promise<Settings> {
  const config = await configOf(connection);
  const info = await infoOf(connection);
  const yes = (text: string | undefined): boolean | undefined =>
    text === undefined ? undefined : text === "yes";
  const aof = info.get("aof_enabled");
  const replicas = info.get("connected_slaves");
  const save = config.get("save");
  const least = config.get("min-replicas-to-write");
  return {
    policy: config.get("maxmemory-policy") ?? info.get("maxmemory_policy"),
    appendsToFile: yes(config.get("appendonly")) ?? (aof === undefined ? undefined : aof === "1"),
    savesSnapshots: save === undefined ? undefined : save !== "",
    replicas: replicas === undefined ? undefined : Number(replicas),
    waitsForReplicas: least === undefined ? undefined : Number(least) > 0,
    needsAllSlots: yes(config.get("cluster-require-full-coverage")),
  };
}

/** Many a Redis that somebody else runs does not allow this; INFO says the most of it too. */
async function configOf(connection: Checked): Promise<ReadonlyMap<string, string>> {
  const reply = await connection.run(["CONFIG", "GET", ...CONFIG]).catch(() => ({}));
  return new Map(Object.entries(reply as Record<string, string>));
}

async function infoOf(connection: Checked): Promise<ReadonlyMap<string, string>> {
  const text = await connection.run(["INFO", ...INFO]).catch(() => "");
  const lines = String(text).matchAll(/^(\w+):([^\r\n]*)/gm);
  return new Map(Array.from(lines, ([, name, value]) => [name!, value!]));
}
