import type { EphemeralMessage, StoredMessage } from "../hub/broker.ts";

/** One node as a store in its process sees it. Neither method throws. */
export interface LocalNode {
  receive(message: StoredMessage): void;
  receiveEphemeral(message: EphemeralMessage): void;
}

/** Tells all nodes that share a store what happens in it, in one order for all of them. */
export class NodesInOrder<Node> {
  readonly #nodes = new Set<Node>();
  readonly #untold: (() => void)[] = [];
  #telling = false;

  get size(): number {
    return this.#nodes.size;
  }

  all(): readonly Node[] {
    return [...this.#nodes];
  }

  add(node: Node): void {
    this.#nodes.add(node);
  }

  delete(node: Node): void {
    this.#nodes.delete(node);
  }

  tell(...news: readonly ((node: Node) => void)[]): void {
    this.tellInTurn(() => news.forEach((one) => this.#nodes.forEach(one)));
  }

  /** A handler that changes something would otherwise overtake what it is being told of. */
  protected tellInTurn(tellAll: () => void): void {
    this.#untold.push(tellAll);
    if (this.#telling) return;
    this.#telling = true;
    for (let next = this.#untold.shift(); next !== undefined; next = this.#untold.shift()) next();
    this.#telling = false;
  }

  protected get nodes(): Iterable<Node> {
    return this.#nodes;
  }
}

/** Sends what happens in a store to all nodes that share it, in one order for all of them. */
export class LocalNodes extends NodesInOrder<LocalNode> {
  send(messages: readonly StoredMessage[]): void {
    if (messages.length === 0) return;
    this.tellInTurn(() => {
      for (const message of messages) for (const node of this.nodes) node.receive(message);
    });
  }

  sendEphemeral(message: EphemeralMessage): void {
    this.tell((node) => node.receiveEphemeral(message));
  }
}
