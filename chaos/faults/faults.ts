import type { Cluster } from "../cluster.ts";

/** A way to break something, and to mend it again. */
export interface FaultKind {
  readonly name: string;
  readonly does: string;
  /** One of the nodes, or the Redis that all share. */
  readonly strikes: "node" | "redis";
  /** Redis comes back without some of what it has acknowledged. */
  readonly losesData: boolean;
  /**
   * Strikes, lets `lasts` pass and mends; resolves when all processes that it touched answer again. What has lost data
   * says that it is `returning` before it does.
   */
  run(cluster: Cluster, node: number, lasts: () => Promise<void>, returning: () => void): Promise<void>;
}
