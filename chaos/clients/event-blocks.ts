/** One block of a stream of events: a block without data moves the id, and is no event. */
export interface EventBlock {
  readonly event: string;
  /** Undefined where the block says nothing of it. */
  readonly id: string | undefined;
  readonly data: string | undefined;
}

/** Takes a stream of events apart, however it was cut into pieces (HTML standard, §9.2.6). */
export class EventBlocks {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** The blocks that this piece has completed. */
  take(piece: Uint8Array): EventBlock[] {
    const blocks = (this.#rest + this.#decoder.decode(piece, { stream: true })).split("\n\n");
    this.#rest = blocks.pop()!;
    return blocks.map(blockOf);
  }
}

function blockOf(text: string): EventBlock {
  let event = "message";
  let id: string | undefined;
  let data: string | undefined;
  for (const line of text.split("\n")) {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "event") event = value;
    else if (name === "id") id = value;
    else if (name === "data") data = data === undefined ? value : `${data}\n${value}`;
  }
  return { event, id, data };
}
