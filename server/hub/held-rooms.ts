import type { RoomName } from "../../shared/room-name.ts";
import type { LocalRoom } from "./local-room.ts";

interface HeldRoom {
  readonly room: LocalRoom;
  holders: number;
}

export interface HeldRoomsContext {
  readonly open: (name: RoomName) => LocalRoom;
  /** Nobody holds the room any more; it is closed already. */
  readonly onClosed: (name: RoomName) => void;
}

/** The rooms that somebody on this node holds, each as long as anybody does. */
export class HeldRooms {
  readonly #context: HeldRoomsContext;
  readonly #rooms = new Map<RoomName, HeldRoom>();

  constructor(context: HeldRoomsContext) {
    this.#context = context;
  }

  get(name: RoomName): LocalRoom | undefined {
    return this.#rooms.get(name)?.room;
  }

  *all(): Iterable<LocalRoom> {
    for (const { room } of this.#rooms.values()) yield room;
  }

  /** Holds a room until it is released, which has to be done once for each time that it is held. */
  hold(name: RoomName): LocalRoom {
    let held = this.#rooms.get(name);
    if (held === undefined) this.#rooms.set(name, (held = { room: this.#context.open(name), holders: 0 }));
    held.holders += 1;
    return held.room;
  }

  release(name: RoomName): void {
    const held = this.#rooms.get(name)!;
    held.holders -= 1;
    if (held.holders > 0) return;
    this.#rooms.delete(name);
    held.room.close();
    this.#context.onClosed(name);
  }
}
