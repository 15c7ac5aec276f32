import { splitAddresses } from "./addresses.ts";
import { ClusterMap, slotsReply } from "./cluster-map.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { redirectOf, type Redirect } from "./redirect.ts";
import { findServers } from "./seeds.ts";
import { unavailable } from "./store-error.ts";

/** How often the map is looked at, and how old it may get while nothing speaks against it, in ms. */
const TICK_MS = 500;
const MAP_AGE_MS = 5_000;
/** Every command that fails doubts the map; it is asked for no more often than this, in ms. */
const DOUBT_MS = 100;
const REOPEN_MS = { least: 50, most: 500 };

export interface MastersOptions extends Pick<
  ConnectionOptions,
  "limits" | "subscribes" | "keepsProcess" | "onLost" | "onError"
> {
  /** One address, or several of one cluster, separated by commas. */
  readonly url: string;
  /** Shared with whoever else uses the same cluster. */
  readonly map?: ClusterMap;
  /** Is called each time that a server can be asked (again): after connecting, and after it hung. */
  readonly onUsable?: (connection: Connection, news: { readonly connected: boolean }) => void;
  /** Keys and channels may have another master than before. */
  readonly onMoved?: () => void;
  /** A master unsubscribed a channel whose slot it no longer has. */
  readonly onChannelMoved?: (connection: Connection, channel: string) => void;
}

/**
 * Holds a connection to the one Redis that there is, or to each master of a cluster; which of both it is, and who has
 * which slot, Redis is asked. A master that is away leaves the others as they are.
 */
export class Masters {
  readonly #options: MastersOptions;
  readonly #map: ClusterMap;
  readonly #unwatch: () => void;
  /** By address; the one server of no cluster is under "". */
  readonly #connections = new Map<string, Connection>();
  /** The URL of a master of the cluster: the others have its scheme, user and password. */
  #member: string | undefined;
  #opening: Promise<void> | undefined;
  #refreshing: Promise<void> | undefined;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: MastersOptions) {
    this.#options = options;
    this.#map = options.map ?? new ClusterMap();
    this.#unwatch = this.#map.watch(() => this.#follow());
  }

  get isCluster(): boolean {
    return this.#member !== undefined;
  }

  /** Some server answers. */
  get usable(): boolean {
    return this.all().some(({ usable }) => usable);
  }

  all(): readonly Connection[] {
    return [...this.#connections.values()];
  }

  /** Whether a connection is still the one to its server. */
  has(connection: Connection): boolean {
    return this.all().includes(connection);
  }

  /** The connection to the master of a key or channel, usable or not; undefined if there is none. */
  of(key: string): Connection | undefined {
    const address = this.isCluster ? this.#map.masterOf(key) : "";
    return address === undefined ? undefined : this.#connections.get(address);
  }

  /**
   * Finds out what is there and connects; tries only once. Masters of a cluster that are away are waited for in the
   * background, as long as one is not.
   *
   * @throws HubError `unavailable` when Redis is away, too old or refuses the password, or the addresses do not belong together
   */
  async connect(): Promise<void> {
    this.#opening ??= this.#connect().finally(() => (this.#opening = undefined));
    await this.#opening;
  }

  /** Something speaks against what is known of the cluster: it is asked. */
  doubt(): void {
    if (!this.isCluster) return;
    this.#map.doubt();
    if (performance.now() - this.#refreshedAt > DOUBT_MS) void this.#refresh();
  }

  /** Where an error sends whoever asked for a key or channel; what it says of the cluster is remembered. */
  redirect(error: unknown, from: Connection): Redirect | undefined {
    const redirect = this.isCluster ? redirectOf(error, from.host) : undefined;
    if (redirect?.kind === "moved") this.#map.move(redirect.slot, redirect.address);
    if (redirect !== undefined && redirect.kind !== "again") this.doubt();
    return redirect;
  }

  /** The connection to an address that a redirect named, made if there is none; it may be unusable. */
  async at(address: string): Promise<Connection> {
    const connection = this.#connections.get(address) ?? this.#open(address);
    await connection.connect().catch(() => undefined);
    return connection;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unwatch();
    clearInterval(this.#timer);
    await Promise.all(this.all().map((connection) => connection.close()));
  }

  async #connect(): Promise<void> {
    if (this.#closed) throw unavailable("the connection to Redis has been closed");
    const alone = this.#connections.get("");
    if (alone !== undefined) return alone.connect();
    // A publisher lets go of idle connections; a command makes the one that it needs anew.
    if (this.isCluster && this.usable) return;
    const found = await findServers(this.#seeds());
    if (found.kind === "server") {
      this.#connections.set("", found.connection);
      this.#options.onUsable?.(found.connection, { connected: true });
      return;
    }
    this.#member = found.url;
    this.#map.load(found.slots, found.host);
    this.#follow();
    const opened = await Promise.allSettled(this.all().map((connection) => connection.connect()));
    const [failure, ...others] = opened.filter((result) => result.status === "rejected");
    if (failure !== undefined && others.length + 1 === opened.length) throw failure.reason;
    this.#timer ??= setInterval(() => this.#look(), TICK_MS).unref();
  }

  #seeds(): { url: string; connection: Connection }[] {
    return splitAddresses(this.#options.url).map((url) => ({ url, connection: this.#make(url) }));
  }

  #make(url: string, address = ""): Connection {
    const { onUsable, onChannelMoved, ...options } = this.#options;
    const connection: Connection = new Connection({
      ...options,
      url,
      onUsable: (news) => this.has(connection) && onUsable?.(connection, news),
      onEnd: () => this.#lost(address, connection),
      onChannelMoved: (channel) => {
        this.doubt();
        onChannelMoved?.(connection, channel);
      },
    });
    return connection;
  }

  /** Begins to connect to a master, and goes on trying for as long as it is one. */
  #open(address: string): Connection {
    const connection = this.#make(urlOf(address, this.#member!), address);
    const before = this.#connections.get(address);
    this.#connections.set(address, connection);
    void before?.close();
    connection.connect().catch((error: unknown) => {
      if (before === undefined) this.#options.onError?.(error);
      this.#lost(address, connection);
    });
    return connection;
  }

  #lost(address: string, connection: Connection): void {
    if (this.#closed || !this.isCluster || this.#connections.get(address) !== connection) return;
    this.doubt();
    // One that was only asked about a slot on its way.
    if (!this.#map.masters.has(address)) return void this.#connections.delete(address);
    // Without this, a publisher's command connects again.
    if (this.#options.keepsProcess === false) return;
    const ms = REOPEN_MS.least + Math.random() * (REOPEN_MS.most - REOPEN_MS.least);
    setTimeout(() => {
      const isAway = !connection.usable && this.#connections.get(address) === connection;
      if (isAway && !this.#closed) this.#open(address);
    }, ms).unref();
  }

  /** Connects to the masters that there are now, and lets go of the others. */
  #follow(): void {
    if (this.#closed || !this.isCluster) return;
    for (const [address, connection] of this.#connections) {
      if (this.#map.masters.has(address)) continue;
      this.#connections.delete(address);
      void connection.close();
    }
    for (const address of this.#map.masters) if (!this.#connections.has(address)) this.#open(address);
    this.#options.onMoved?.();
  }

  #look(): void {
    const isQuiet = this.#options.keepsProcess === false && Number.isFinite(this.#map.ageMs);
    if (this.#map.ageMs > MAP_AGE_MS && !isQuiet) void this.#refresh();
  }

  /** Asks the cluster who has which slot, one question at a time; never rejects. */
  #refresh(): Promise<void> {
    this.#refreshedAt = performance.now();
    this.#refreshing ??= this.#askForSlots()
      .catch((error: unknown) => this.#options.onError?.(error))
      .finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #askForSlots(): Promise<void> {
    let doubtful: (() => void) | undefined;
    for (const connection of this.all().toSorted(() => Math.random() - 0.5)) {
      if (!connection.usable || this.#closed) continue;
      try {
        const [info, reply] = await connection.runAll([
          ["CLUSTER", "INFO"],
          ["CLUSTER", "SLOTS"],
        ]);
        const slots = slotsReply(reply);
        const load = (): void => this.#map.load(slots, connection.host);
        // One that is cut off from the others does not know who has taken over.
        if (String(info).includes("cluster_state:ok")) return load();
        doubtful ??= load;
      } catch {
        // The next one may know.
      }
    }
    if (doubtful !== undefined) return doubtful();
    if (this.#closed || this.usable) return;
    // All addresses may be new ones: the names that were given lead to them.
    const found = await findServers(this.#seeds()).catch(() => undefined);
    if (found?.kind === "cluster") this.#map.load(found.slots, found.host);
    else await found?.connection.close();
  }
}

function urlOf(address: string, member: string): string {
  const url = new URL(member);
  url.host = address;
  return url.href;
}
