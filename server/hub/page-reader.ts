import type { RoomName } from "../../shared/room-name.ts";
import type { Broker, HistoryPage } from "./broker.ts";

/** Reads pages of one room's log; all who ask for the same page while it is under way share one read. */
export class PageReader {
  readonly #broker: Broker;
  readonly #room: RoomName;
  readonly #limit: number;
  readonly #underWay = new Map<number, Promise<HistoryPage>>();

  constructor(broker: Broker, room: RoomName, limit: number) {
    this.#broker = broker;
    this.#room = room;
    this.#limit = limit;
  }

  after(offset: number): Promise<HistoryPage> {
    const shared = this.#underWay.get(offset);
    if (shared !== undefined) return shared;
    const read = this.#broker
      .read(this.#room, { after: offset, limit: this.#limit })
      .finally(() => this.#underWay.delete(offset));
    this.#underWay.set(offset, read);
    return read;
  }
}
