import type { Connection } from "./connection.ts";
import { slotsReply, type SlotsReply } from "./cluster-map.ts";
import { unavailable } from "./store-error.ts";

/** What answers at the addresses that were given: one server, or a cluster. */
export type Found =
  | { readonly kind: "server"; readonly connection: Connection }
  | { readonly kind: "cluster"; readonly url: string; readonly host: string; readonly slots: SlotsReply };

export interface Seed {
  readonly url: string;
  readonly connection: Connection;
}

/**
 * Connects to each address and finds out what is there. Of a cluster one address has to answer; all connections to it
 * are closed again.
 *
 * @throws HubError `unavailable` if nothing answers, or if what answers does not belong together
 */
export async function findServers(seeds: readonly Seed[]): Promise<Found> {
  const opened = await Promise.allSettled(seeds.map(({ connection }) => connection.connect()));
  const there = seeds.filter((_, i) => opened[i]!.status === "fulfilled");
  try {
    const found = await judge(seeds, there, opened);
    if (found.kind === "cluster") await closeAll(there);
    return found;
  } catch (error) {
    await closeAll(there);
    throw error;
  }
}

async function judge(
  seeds: readonly Seed[],
  there: readonly Seed[],
  opened: readonly PromiseSettledResult<void>[],
): Promise<Found> {
  const [first] = there;
  if (first === undefined) {
    const reasons = opened.map((result) => (result as PromiseRejectedResult).reason as Error);
    if (reasons.length === 1) throw reasons[0]!;
    throw unavailable(reasons.map(({ message }) => message).join("; "), reasons[0]);
  }
  const members = there.filter(({ connection }) => connection.isCluster);
  if (members.length === 0 && seeds.length === 1) return { kind: "server", connection: first.connection };
  const alone = there.find(({ connection }) => !connection.isCluster);
  if (alone !== undefined)
    throw unavailable(`several addresses are for a Redis Cluster, and ${placeOf(alone)} is no part of one`);
  const replies = await Promise.all(
    members.map(async ({ connection }) => slotsReply(await connection.run(["CLUSTER", "SLOTS"]))),
  );
  const slots = replies[0]!;
  if (slots.length === 0) throw unavailable(`the Redis Cluster at ${placeOf(first)} has no slots`);
  const known = new Set(idsOf(slots));
  const stranger = members.find((_, i) => !idsOf(replies[i]!).some((id) => known.has(id)));
  if (stranger !== undefined)
    throw unavailable(`${placeOf(first)} and ${placeOf(stranger)} belong to different Redis Clusters`);
  return { kind: "cluster", url: first.url, host: first.connection.host, slots };
}

async function closeAll(seeds: readonly Seed[]): Promise<void> {
  await Promise.all(seeds.map(({ connection }) => connection.close()));
}

const idsOf = (slots: SlotsReply): readonly string[] => slots.map(([, , [, , id]]) => id);

const placeOf = ({ url }: Seed): string => new URL(url).host;
