import type { EphemeralMessage, StoredMessage } from "../hub/broker.ts";

/** One node as a store in its process sees it. Neither method throws. */
export interface LocalNode {
  receive(message: StoredMessage): void;
  receiveEphemeral(message: EphemeralMessage): void;
}

/** Sends what happens in a store to all nodes that share it, in one order for all of them. */
export class LocalNodes {
  readonly #nodes = new Set<LocalNode>();
  readonly #undelivered: (() => void)[] = [];
  #delivering = false;

  get size(): number {
    return this.#nodes.size;
  }

  add(node: LocalNode): void {
    this.#nodes.add(node);
  }

  delete(node: LocalNode): void {
    this.#nodes.delete(node);
  }

  send(messages: readonly StoredMessage[]): void {
    for (const message of messages)
      this.#undelivered.push(() => this.#nodes.forEach((node) => node.receive(message)));
    this.#flush();
  }

  sendEphemeral(message: EphemeralMessage): void {
    this.#undelivered.push(() => this.#nodes.forEach((node) => node.receiveEphemeral(message)));
    this.#flush();
  }

  /** A handler that appends would otherwise overtake the message that it is being told of. */
  #flush(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    for (let next = this.#undelivered.shift(); next !== undefined; next = this.#undelivered.shift()) next();
    this.#delivering = false;
  }
}
