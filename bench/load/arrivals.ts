import { RawSocket } from "../wire/raw-socket.ts";
import type { Lane } from "./lane.ts";

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Notes what comes out of one room of a server, as the last of its subscribers. */
class Arrivals {
  readonly #waiting: Waiting[] = [];

  private constructor(socket: RawSocket) {
    const pass = socket.onPacket.bind(socket);
    socket.onPacket = (packet) =>
      packet?.startsWith("42[") === true ? this.#waiting.shift()?.resolve() : pass(packet);
    socket.onEnd = (error) => this.#waiting.splice(0).forEach(({ reject }) => reject(error));
  }

  /** Has to be called when everybody else is in the room. */
  static async watch(url: string, room: string): Promise<Arrivals> {
    const socket = await RawSocket.open(url);
    const arrivals = new Arrivals(socket);
    await socket.request("join", JSON.stringify({ room }));
    return arrivals;
  }

  /** Resolves when one message has come for each call until now. */
  next(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }
}

/**
 * Lanes whose publishes are under way until they have come out of a room at another server: one that takes more than it
 * can hand on must not be asked for more and more.
 */
export async function untilDelivered(lanes: readonly Lane[], url: string, room: string): Promise<Lane[]> {
  const arrivals = await Arrivals.watch(url, room);
  return lanes.map((lane) => ({
    async send(to, datas) {
      await Promise.all([lane.send(to, datas), ...datas.map(() => arrivals.next())]);
    },
    close: () => lane.close(),
  }));
}
