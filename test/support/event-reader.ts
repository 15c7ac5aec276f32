import { once } from "node:events";
import { get, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { until } from "./wait.ts";

const OWN_EVENTS = new Set(["stream-open", "stream-reset", "stream-error", "keep-alive"]);

export interface StreamedMessage {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

/** Reads a stream of events and writes down all that comes. */
export class EventReader {
  /** The bytes as they came, as text. */
  text = "";
  readonly events: EventSourceMessage[] = [];
  /** Messages of the rooms, with their data parsed. */
  readonly messages: StreamedMessage[] = [];
  status = 0;
  headers: IncomingHttpHeaders = {};
  ended = false;
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;

  /** Resolves when the reply has begun. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
    const reader = new EventReader();
    const parser = createParser({ onEvent: (event) => reader.#note(event) });
    const request = get(url, { headers, agent: false });
    reader.#request = request;
    request.on("error", () => (reader.ended = true));
    const [response] = (await once(request, "response")) as [IncomingMessage];
    reader.#response = response;
    reader.status = response.statusCode!;
    reader.headers = response.headers;
    response.setEncoding("utf8");
    response.on("data", (text: string) => {
      reader.text += text;
      parser.feed(text);
    });
    response.on("close", () => (reader.ended = true)).on("error", () => {});
    return reader;
  }

  get data(): unknown[] {
    return this.messages.map(({ data }) => data);
  }

  /** The last id as the HTML standard has it: a block without data counts too. */
  get lastId(): string | undefined {
    const whole = this.text.slice(0, this.text.lastIndexOf("\n\n") + 1);
    return [...whole.matchAll(/^id: (.*)$/gm)].at(-1)?.[1];
  }

  #note(received: EventSourceMessage): void {
    this.events.push(received);
    const { event = "message", id, data } = received;
    if (!OWN_EVENTS.has(event)) this.messages.push({ event, id, data: JSON.parse(data) as unknown });
  }

  /** The first of the stream's own events of this name. */
  async own(name: string): Promise<EventSourceMessage> {
    return until(() => this.events.find(({ event }) => event === name));
  }

  async opened(): Promise<this> {
    await this.own("stream-open");
    return this;
  }

  /** Waits for so many messages. */
  async got(count: number): Promise<this> {
    await until(() => this.messages.length >= count);
    return this;
  }

  async closed(): Promise<this> {
    await until(() => this.ended);
    return this;
  }

  /** Takes nothing from the network until `resume`. */
  pause(): void {
    this.#response?.pause();
  }

  resume(): void {
    this.#response?.resume();
  }

  close(): void {
    this.#request?.destroy();
  }
}
