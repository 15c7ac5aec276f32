import { HubError } from "../../../shared/errors.ts";
import { slotOf, SLOTS } from "./slot.ts";

type Master = readonly [host: string | null, port: number, id: string, ...unknown[]];
/** What `CLUSTER SLOTS` replies. */
export type SlotsReply = readonly (readonly [from: number, to: number, master: Master, ...unknown[]])[];

/** Which master of a cluster has which slot, as far as that is known: one map for all who use one cluster. */
export class ClusterMap {
  #slots: readonly (string | undefined)[] = [];
  #masters: ReadonlySet<string> = new Set();
  #doubted = false;
  #loadedAt = Number.NEGATIVE_INFINITY;
  readonly #watchers = new Set<() => void>();

  /** Addresses as they stand in a URL. */
  get masters(): ReadonlySet<string> {
    return this.#masters;
  }

  /** How old, in ms, the cluster's word for it is; infinite once something speaks against it. */
  get ageMs(): number {
    return this.#doubted ? Number.POSITIVE_INFINITY : performance.now() - this.#loadedAt;
  }

  /** The address of the master that has a key or channel; undefined if none has. */
  masterOf(key: string): string | undefined {
    return this.#slots[slotOf(key)];
  }

  /** Calls back whenever a slot is elsewhere; gives what ends that. */
  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => void this.#watchers.delete(onChange);
  }

  doubt(): void {
    this.#doubted = true;
  }

  move(slot: number, address: string): void {
    this.#doubted = true;
    if (this.#slots[slot] !== address) this.#set(this.#slots.with(slot, address));
  }

  /** @param host stands in for a master that does not know its own name */
  load(reply: SlotsReply, host: string): void {
    const slots = new Array<string | undefined>(SLOTS).fill(undefined);
    for (const [from, to, [name, port]] of reply) slots.fill(addressOf(name, port, host), from, to + 1);
    this.#doubted = false;
    this.#loadedAt = performance.now();
    if (slots.some((address, slot) => address !== this.#slots[slot])) this.#set(slots);
  }

  #set(slots: readonly (string | undefined)[]): void {
    this.#slots = slots;
    this.#masters = new Set(slots.filter((address) => address !== undefined));
    for (const onChange of this.#watchers) onChange();
  }
}

/** @throws HubError `unavailable` if that is no reply of `CLUSTER SLOTS` */
export function slotsReply(reply: unknown): SlotsReply {
  if (isSlotsReply(reply)) return reply;
  throw new HubError("unavailable", "Redis does not say which master has which slot");
}

function isSlotsReply(reply: unknown): reply is SlotsReply {
  const isRange = (range: unknown): boolean =>
    Array.isArray(range) &&
    Number.isInteger(range[0]) &&
    Number.isInteger(range[1]) &&
    Array.isArray(range[2]);
  return Array.isArray(reply) && reply.every(isRange);
}

/** Puts an address together as it stands in a URL. */
export function addressOf(name: string | null, port: number | string, host: string): string {
  // Redis says "?" while it waits for a name that it was told to announce.
  const known = name === null || name === "" || name === "?" ? host : name;
  return `${known.includes(":") && !known.startsWith("[") ? `[${known}]` : known}:${port}`;
}
