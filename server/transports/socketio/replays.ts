import type { StoredMessage } from "../../hub/broker.ts";
import { framesOf, packetFor, type Packet } from "./packet.ts";

/** Kept messages in a row, as they leave. */
export interface Replay {
  readonly packets: readonly Packet[];
  readonly joined: Buffer;
}

interface Known extends Replay {
  readonly first: StoredMessage;
  readonly last: StoredMessage;
}

const REMEMBERED = 8;

/** Joins the messages of replays: once for all who stand at the same place, as those do who lost their connections together. */
export class Replays {
  readonly #recent: Known[] = [];

  /** @param messages of one log, without a hole; one at least */
  of(messages: readonly StoredMessage[]): Replay {
    const [first, last] = [messages[0]!, messages.at(-1)!];
    // Without holes, the first and the last one say which these are.
    const known = this.#recent.find((one) => one.first === first && one.last === last);
    if (known !== undefined) return known;
    const packets = messages.map(packetFor);
    const replay = { first, last, packets, joined: framesOf(packets) };
    this.#recent.unshift(replay);
    this.#recent.splice(REMEMBERED);
    return replay;
  }
}
