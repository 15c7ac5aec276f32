import type { GapReason } from "../../shared/protocol.ts";

/** What a script does to one room through two nodes. Positions are named by offset; epochs never change in a script. */
export type Step =
  | { readonly do: "publish"; readonly node: Node; readonly items: readonly Item[] }
  | { readonly do: "join"; readonly client: number; readonly node: Node; readonly start: StepStart }
  | { readonly do: "leave"; readonly client: number }
  | {
      readonly do: "history";
      readonly node: Node;
      readonly side: "after" | "before";
      readonly offset: number;
    }
  | { readonly do: "clear" }
  | { readonly do: "restart" };

export type Node = 0 | 1;

/** A message; with an id that may come again. */
export interface Item {
  readonly id?: string;
  readonly text: string;
}

/** Where a join starts; `back` counts from where the client stands, a `forged` position has an id that no message has. */
export type StepStart =
  | { readonly from: "now" }
  | { readonly from: "rewind"; readonly messages: number }
  | { readonly from: "position"; readonly back: number; readonly is: "true" | "forged" | "of another epoch" };

/** What a client was told, in its order. */
export type Told =
  | { readonly message: string }
  | { readonly gap: GapReason; readonly from: number; readonly to: number }
  | {
      readonly joined: number;
      readonly replayed: number;
      readonly recovered?: boolean;
      readonly reason?: GapReason;
    };

export type Outcome = `new ${number}` | `duplicate ${number}` | "id_reused";

/** What a publisher or a reader of the history was answered. */
export type Answer =
  | readonly Outcome[]
  | { readonly messages: readonly string[]; readonly firstOffset: number; readonly complete: boolean };

interface Kept {
  readonly offset: number;
  readonly id: string | undefined;
  readonly text: string;
}

export interface ModelClient {
  /** What it has heard of last; undefined until it has joined once. */
  offset: number | undefined;
  live: boolean;
  readonly told: Told[];
}

/** How a message is written in what clients are told: its offset and its text. */
export const written = ({ offset, text }: { offset: number; text: string }): string => `${offset} ${text}`;

/** A room as anybody can think of it: a list with offsets, of which the newest `kept` are there. */
export class RoomModel {
  readonly clients: readonly ModelClient[];
  readonly #most: number;
  readonly #pageLimit: number;
  #kept: Kept[] = [];
  readonly #ids = new Map<string, { readonly offset: number; readonly text: string }>();
  #head = 0;

  constructor(clients: number, most: number, pageLimit: number) {
    this.clients = Array.from({ length: clients }, () => ({ offset: undefined, live: false, told: [] }));
    this.#most = most;
    this.#pageLimit = pageLimit;
  }

  publish(items: readonly Item[]): Answer {
    return items.map(({ id, text }): Outcome => {
      const known = id === undefined ? undefined : this.#ids.get(id);
      if (known !== undefined) return known.text === text ? `duplicate ${known.offset}` : "id_reused";
      this.#head += 1;
      const message = { offset: this.#head, id, text };
      if (id !== undefined) this.#ids.set(id, message);
      this.#kept = [...this.#kept, message].slice(-this.#most);
      for (const client of this.clients) if (client.live) this.#hears(client, message);
      return `new ${this.#head}`;
    });
  }

  join(client: ModelClient, start: StepStart): void {
    const verdict = this.#verdict(client, start);
    const { reason, from } = verdict;
    client.offset = verdict.start;
    if (reason !== undefined) client.told.push({ gap: reason, from, to: verdict.start });
    const replay = this.#kept.filter(({ offset }) => offset > verdict.start);
    replay.forEach((message) => this.#hears(client, message));
    client.live = true;
    const told = reason === undefined ? {} : { reason };
    const recovered = start.from === "position" ? { recovered: reason === undefined } : {};
    client.told.push({ joined: this.#head, replayed: replay.length, ...recovered, ...told });
    client.offset = this.#head;
  }

  leave(client: ModelClient): void {
    client.live = false;
  }

  clear(): void {
    this.#kept = [];
  }

  history(side: "after" | "before", offset: number): Answer {
    const found = this.#kept.filter((message) =>
      side === "after" ? message.offset > offset : message.offset < offset,
    );
    const page = side === "after" ? found.slice(0, this.#pageLimit) : found.slice(-this.#pageLimit);
    const complete =
      side === "after"
        ? (page.at(-1)?.offset ?? offset) >= this.#head
        : (page[0]?.offset ?? Math.min(offset, this.#first)) <= 1;
    return { messages: page.map(written), firstOffset: this.#first, complete };
  }

  get #first(): number {
    return this.#kept[0]?.offset ?? this.#head + 1;
  }

  #hears(client: ModelClient, message: Kept): void {
    client.told.push({ message: written(message) });
    client.offset = message.offset;
  }

  #verdict(client: ModelClient, start: StepStart): { start: number; reason?: GapReason; from: number } {
    const oldest = this.#first - 1;
    if (start.from === "now") return { start: this.#head, from: 1 };
    if (start.from === "rewind") return { start: Math.max(this.#head - start.messages, oldest), from: 1 };
    const offset = standsAt(client, start.back);
    if (start.is === "of another epoch") return { start: oldest, reason: "epoch_changed", from: 1 };
    if (start.is === "true" && offset === this.#head) return { start: offset, from: 1 };
    if (offset === 0 && oldest === 0) return { start: 0, from: 1 };
    if (offset < this.#first && offset !== this.#head)
      return { start: oldest, reason: "trimmed", from: offset + 1 };
    if (start.is === "forged" && offset > 0) return { start: oldest, reason: "rolled_back", from: 1 };
    return { start: offset, from: 1 };
  }
}

/** The offset so far before the one where the client stands. */
export function standsAt({ offset }: { readonly offset: number | undefined }, back: number): number {
  return Math.max(0, (offset ?? 0) - back);
}
