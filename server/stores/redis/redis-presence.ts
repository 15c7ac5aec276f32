import { setTimeout as sleep } from "node:timers/promises";
import { HubError } from "../../../shared/errors.ts";
import type { Limits } from "../../../shared/limits.ts";
import { foldName } from "../../../shared/presence.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import type {
  MembersList,
  MembersMark,
  MembersRules,
  PresenceHandler,
  PresenceStore,
  Present,
  RoomCounts,
} from "../../hub/presence-store.ts";
import { nameTaken, roomFull } from "../presence-errors.ts";
import { eachAtOnce } from "./at-once.ts";
import type { Channels } from "./channels.ts";
import type { Commands } from "./commands.ts";
import { DeadNodes, PRUNES_AT_ONCE } from "./dead-nodes.ts";
import { nodesKeys } from "./keys.ts";
import { MembersReader } from "./members-reader.ts";
import { LEASE_TIMES, NodeLeases, type LeaseTimes, type Registry } from "./node-leases.ts";
import { newSpeaker, PresenceLanes, type Operation, type Speaker } from "./presence-lanes.ts";
import { unavailable } from "./store-error.ts";
import { TakenNames } from "./taken-names.ts";

const KEEPS_AT_ONCE = 100;

export interface RedisPresenceOptions {
  readonly commands: Commands;
  readonly channels: Channels;
  readonly limits: Pick<Limits, "redisCommandMs" | "batchBytes">;
  readonly times?: Partial<LeaseTimes>;
  /** Gets what goes wrong outside of any request. */
  readonly onError: (error: unknown) => void;
}

/**
 * Keeps who is in which room in Redis, over a broker's connections.
 *
 * A node speaks under an id that it gives up as soon as what it said may be forgotten. Then it says everything again
 * under a new one, and only then takes back what the old one said, so that nobody seems to leave and come back.
 */
export class RedisPresence implements PresenceStore {
  readonly #commands: Commands;
  readonly #channels: Channels;
  readonly #times: LeaseTimes;
  readonly #onError: (error: unknown) => void;
  readonly #leases: NodeLeases;
  readonly #lanes: PresenceLanes;
  readonly #dead: DeadNodes;
  readonly #reader: MembersReader;
  readonly #names: TakenNames;
  #self = newSpeaker();
  /** Is being registered. */
  #next: Speaker | undefined = this.#self;
  /** What these said has not been taken back yet. */
  readonly #former = new Set<Speaker>();
  /** By room and user, what was said of the user last. */
  readonly #latest = new Map<string, Operation>();
  #registry: Registry | undefined;
  #handler: PresenceHandler | undefined;
  #isForgotten = false;
  #sayingAgain = false;
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor({ commands, channels, limits, times, onError }: RedisPresenceOptions) {
    this.#commands = commands;
    this.#channels = channels;
    this.#onError = onError;
    this.#times = { ...LEASE_TIMES, ...times };
    const { redisCommandMs } = limits;
    const isOwn = (id: string): boolean => this.#isOwn(id);
    this.#leases = new NodeLeases({
      commands,
      redisCommandMs,
      times: this.#times,
      ids: () => this.#ids(),
      taken: () => this.#next?.id,
      onRenewed: (registry) => this.#renewed(registry),
    });
    this.#lanes = new PresenceLanes({
      commands,
      limits,
      keepMs: this.#times.keepMs,
      self: () => this.#self,
      onOtherLife: () => this.forget(),
    });
    const common = { commands, lanes: this.#lanes, leases: this.#leases, ...this.#times, isOwn };
    this.#dead = new DeadNodes({ ...common, rooms: () => this.#rooms(), onError });
    this.#reader = new MembersReader(commands, this.#dead);
    this.#names = new TakenNames({
      ...common,
      prune: (rooms) => this.#reader.marks(rooms),
      say: (room, operation) => this.#lanes.run(room, operation),
    });
  }

  /** The broker has to be started first. Of a cluster, the part that knows the nodes may be away: it is waited for. */
  async start(handler: PresenceHandler): Promise<void> {
    this.#assertOpen();
    this.#handler = handler;
    await this.#leases.renew().catch(this.#onError);
    this.#channels.tellMembers((room, change) => {
      this.#compareLife(room, change.life);
      handler.onMembers(room, change);
    });
    this.#tickIn(Math.random() * this.#times.tickMs);
  }

  /** Everything is said again: Redis may have lost it, or gone back to what was before. */
  forget(): void {
    if (this.#handler === undefined) return;
    this.#isForgotten = true;
    void this.#sayAgain(this.#handler);
  }

  async touch(room: RoomName, present: Present, { uniqueNames, most }: MembersRules): Promise<void> {
    this.#assertOpen();
    const { user, name, info } = present;
    const head = `${JSON.stringify({ user, name }).slice(0, -1)}${info === undefined ? "" : `,"info":${info}`}`;
    const operation: Operation = { kind: "touch", user, name: uniqueNames ? foldName(name) : "", most, head };
    const key = this.#say(room, user, operation);
    const isLatest = (): boolean => this.#latest.get(key) === operation;
    try {
      let outcome = await this.#lanes.run(room, operation);
      if (outcome === "taken" && isLatest())
        outcome = await this.#names.settle({ room, operation, isLatest });
      if (outcome === "taken") throw nameTaken(name);
      if (outcome === "full") throw roomFull(most);
    } finally {
      if (isLatest()) this.#latest.delete(key);
    }
  }

  async linger(room: RoomName, user: string): Promise<void> {
    await this.#takeBack(room, { kind: "linger", user });
  }

  async remove(room: RoomName, user: string): Promise<void> {
    await this.#takeBack(room, { kind: "remove", user });
  }

  async list(room: RoomName): Promise<MembersList> {
    this.#assertOpen();
    return this.#reader.list(room);
  }

  async marks(rooms: readonly RoomName[]): Promise<readonly (MembersMark | HubError)[]> {
    this.#assertOpen();
    const { said } = this.#self;
    const before = rooms.map((room) => said.get(room));
    const marks = await this.#reader.marks(rooms);
    marks.forEach((mark, i) => {
      const room = rooms[i]!;
      // What was said meanwhile is newer than the mark.
      if (!(mark instanceof HubError) && said.get(room) === before[i]) this.#compareLife(room, mark.life);
    });
    return marks;
  }

  setConnections(room: RoomName, connections: number): void {
    this.#leases.setConnections(room, connections);
  }

  async counts(rooms: readonly RoomName[]): Promise<readonly RoomCounts[]> {
    this.#assertOpen();
    const others = [...(this.#registry?.leases.keys() ?? [])].filter((id) => !this.#isOwn(id));
    const [marks, sums] = [await this.marks(rooms), await this.#leases.connections(rooms, others)];
    return marks.map((mark, i) => {
      if (mark instanceof HubError) throw mark;
      return { connections: sums[i]!, members: mark.total };
    });
  }

  /** What this node said is taken back by the others, some seconds later. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#channels.tellMembers(undefined);
    this.#names.close();
    if (this.#handler !== undefined) await this.#leases.end().catch(this.#onError);
  }

  #say(room: RoomName, user: string, operation: Operation): string {
    // Others would take this node for dead, and back what it says.
    if (this.#next === this.#self) throw unavailable("the node is not registered in Redis yet");
    const key = `${room} ${user}`;
    this.#latest.set(key, operation);
    return key;
  }

  async #takeBack(room: RoomName, operation: Operation & { readonly user: string }): Promise<void> {
    this.#assertOpen();
    this.#latest.delete(`${room} ${operation.user}`);
    await this.#lanes.run(room, operation);
  }

  #tickIn(ms: number): void {
    if (this.#closing === undefined) this.#timer = setTimeout(() => void this.#tick(), ms).unref();
  }

  async #tick(): Promise<void> {
    const started = performance.now();
    await this.#leases.renew().catch(this.#onError);
    void this.#dead.prune();
    this.#keep(started);
    this.#tickIn(Math.max(0, this.#times.tickMs - (performance.now() - started)));
  }

  #renewed(registry: Registry): void {
    this.#registry = registry;
    if (this.#next === this.#self) this.#next = undefined;
    this.#dead.see(registry);
    if (registry.unknown.has(this.#self.id) && this.#next === undefined) this.forget();
  }

  /** Says again what has not been said for long, a little at a time. */
  #keep(now: number): void {
    let most = KEEPS_AT_ONCE;
    for (const [room, { at }] of this.#self.said) {
      if (now - at < this.#times.keepMs / 4 || most === 0) return;
      most -= 1;
      this.#lanes.run(room, { kind: "keep" }).catch(this.#onError);
    }
  }

  #rooms(): ReadonlySet<RoomName> {
    return new Set([...this.#self.said.keys(), ...this.#channels.held()]);
  }

  #ids(): readonly [string, ...string[]] {
    return [this.#self.id, ...[...this.#former].map(({ id }) => id)];
  }

  #isOwn(id: string): boolean {
    return id === this.#next?.id || this.#ids().includes(id);
  }

  #compareLife(room: RoomName, life: string): void {
    const said = this.#self.said.get(room)?.life;
    if (said !== undefined && said !== life) this.forget();
  }

  async #sayAgain(handler: PresenceHandler): Promise<void> {
    if (this.#sayingAgain) return;
    this.#sayingAgain = true;
    while (this.#isForgotten && this.#closing === undefined) {
      this.#next = newSpeaker();
      // Before it says anything: who is not registered is taken for dead.
      await this.#insist(() => this.#leases.renew());
      this.#former.add(this.#self);
      this.#self = this.#next;
      this.#next = undefined;
      // Whatever was forgotten until now had been said by the former.
      this.#isForgotten = false;
      this.#leases.forget();
      await this.#insist(() => handler.onForgotten());
      for (const former of this.#former) await this.#insist(() => this.#forgetFormer(former));
    }
    this.#sayingAgain = false;
  }

  async #forgetFormer(former: Speaker): Promise<void> {
    // What has just been said may be forgotten too; then it is all that speaks for the users here.
    if (this.#isForgotten) return;
    await eachAtOnce(PRUNES_AT_ONCE, [...former.said.keys()], (room) => this.#lanes.prune(room, former));
    const [nodes, , connections] = nodesKeys(former.id);
    // No longer among the own ids: it would be registered again.
    this.#former.delete(former);
    await this.#commands.run(["ZREM", nodes, former.id]);
    await this.#commands.run(["DEL", connections]);
  }

  /** Tries until it succeeds or the store is closed. */
  async #insist(act: () => Promise<unknown>): Promise<void> {
    while (this.#closing === undefined) {
      try {
        await act();
        return;
      } catch (error) {
        this.#onError(error);
        await sleep(this.#times.tickMs, undefined, { ref: false });
      }
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw unavailable("the store has been closed");
  }
}
