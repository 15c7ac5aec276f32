import type { Message } from "../../shared/message.ts";

/** What a hub answers to one message. */
export interface PublishedTo {
  readonly id: string;
  readonly epoch: string;
  readonly offset: number;
  readonly duplicate: boolean;
}

/** A room as a worker sees it over HTTP, of a hub in another process. */
export class HttpRoom {
  readonly #messages: string;

  constructor(url: string, room: string) {
    this.#messages = `${url}/rooms/${encodeURIComponent(room)}/messages`;
  }

  async post(body: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
    const headers = { "content-type": "application/json" };
    const reply = await fetch(this.#messages, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: reply.status, body: await reply.json() };
  }

  /** Publishes an array of messages with these ids; throws if they were not all accepted. */
  async publishIds(ids: readonly string[]): Promise<PublishedTo[]> {
    const { status, body } = await this.post(ids.map((id) => ({ event: "log", data: { message: id }, id })));
    if (status !== 201) throw new Error(`${status}: ${JSON.stringify(body)}`);
    const { results } = body as { results: PublishedTo[] };
    return results;
  }

  publish(count: number): Promise<PublishedTo[]> {
    return this.publishIds(Array.from({ length: count }, () => crypto.randomUUID()));
  }

  /** Everything that the room keeps, oldest first. */
  async read(): Promise<Message[]> {
    const all: Message[] = [];
    for (;;) {
      const reply = await fetch(`${this.#messages}?after=${all.at(-1)?.offset ?? 0}&limit=300`);
      const { messages } = (await reply.json()) as { messages: Message[] };
      if (messages.length === 0) return all;
      all.push(...messages);
    }
  }
}
