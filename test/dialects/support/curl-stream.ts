import { createParser, type EventSourceMessage } from "eventsource-parser";
import type { Command } from "../../support/commands.ts";
import { until } from "../../support/wait.ts";

/** A stream of events as `curl -N -i` prints it. */
export class CurlStream {
  readonly command: Command;

  constructor(command: Command) {
    this.command = command;
  }

  get head(): string {
    return this.#parts[0];
  }

  get body(): string {
    return this.#parts[1];
  }

  /** All events so far. */
  get events(): EventSourceMessage[] {
    const events: EventSourceMessage[] = [];
    createParser({ onEvent: (event) => events.push(event) }).feed(this.body);
    return events;
  }

  /** The data of all events of a name, read as JSON. */
  data(event: string): unknown[] {
    return this.events.filter((one) => one.event === event).map(({ data }) => JSON.parse(data) as unknown);
  }

  /** Waits for so many events of a name, and gives the last of them. */
  async got(event: string, count = 1): Promise<EventSourceMessage> {
    return until(() => this.events.filter((one) => one.event === event)[count - 1]);
  }

  /** Cuts the connection. */
  async cut(): Promise<void> {
    await this.command.end("SIGKILL");
  }

  get #parts(): [string, string] {
    const end = this.command.out.indexOf("\r\n\r\n");
    return end < 0 ? ["", ""] : [this.command.out.slice(0, end), this.command.out.slice(end + 4)];
  }
}
