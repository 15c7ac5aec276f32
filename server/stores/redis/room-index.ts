import type { RoomName } from "../../../shared/room-name.ts";
import type { RoomsPage, RoomsQuery } from "../../hub/broker.ts";
import type { Commands } from "./commands.ts";
import type { Argument } from "./client.ts";
import { metaKey, ROOMS_KEY } from "./keys.ts";

/** Rooms of which this process remembers that they are listed; after so many it begins anew. */
const MOST_KNOWN = 100_000;
/** Behind every character in UTF-8. */
const LAST = Buffer.from([0xff]);

/** Keeps the sorted set of all rooms, which no script can write: it is in another slot than the rooms are. */
export class RoomIndex {
  readonly #commands: Commands;
  readonly #known = new Set<RoomName>();

  constructor(commands: Commands) {
    this.#commands = commands;
  }

  /**
   * Lists a room, some time soon. Called only after its log has been touched: whoever finds the log missing takes the
   * room off the list, and must not do so between this and the log's begin.
   */
  add(room: RoomName, isNew: boolean): void {
    if (this.#known.has(room) && !isNew) return;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.add(room);
    this.#commands.run(["ZADD", ROOMS_KEY, "0", room]).catch(() => this.#known.delete(room));
  }

  /** Redis may have lost the list. */
  forget(): void {
    this.#known.clear();
  }

  async list({ prefix, after, limit }: RoomsQuery): Promise<RoomsPage> {
    const rooms: { room: RoomName; offset: number }[] = [];
    let last = after;
    for (;;) {
      const wanted = limit + 1 - rooms.length;
      const names = await this.#names(prefix, last, wanted);
      const offsets = await Promise.all(names.map((room) => this.#offset(room)));
      names.forEach((room, i) => {
        const offset = offsets[i];
        if (offset !== undefined) rooms.push({ room, offset });
      });
      if (rooms.length > limit) return { rooms: rooms.slice(0, limit), more: true };
      if (names.length < wanted) return { rooms, more: false };
      last = names.at(-1);
    }
  }

  async #names(prefix: string, after: string | undefined, limit: number): Promise<RoomName[]> {
    const isAfter = after !== undefined && Buffer.compare(Buffer.from(after), Buffer.from(prefix)) >= 0;
    const from = isAfter ? `(${after}` : `[${prefix}`;
    const to = Buffer.concat([Buffer.from(`(${prefix}`), LAST]);
    const range: Argument[] = ["ZRANGE", ROOMS_KEY, from, to, "BYLEX", "LIMIT", "0", String(limit)];
    return (await this.#commands.run(range)) as RoomName[];
  }

  async #offset(room: RoomName): Promise<number | undefined> {
    const top = await this.#top(room);
    if (top !== undefined) return top;
    await this.#commands.run(["ZREM", ROOMS_KEY, room]);
    // The room may have begun again meanwhile, and been listed before the line above took it off.
    const begun = await this.#top(room);
    if (begun !== undefined) await this.#commands.run(["ZADD", ROOMS_KEY, "0", room]);
    return begun;
  }

  async #top(room: RoomName): Promise<number | undefined> {
    const top = await this.#commands.run(["HGET", metaKey(room), "top"]);
    return typeof top === "string" ? Number(top) : undefined;
  }
}
