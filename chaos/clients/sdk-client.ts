import {
  connect,
  type Client,
  type Gap,
  type JoinReply,
  type Meta,
  type Position,
  type Room,
} from "../../client/sdk/index.ts";
import type { JoinRequest } from "../../shared/protocol.ts";
import { hashOf } from "../hash.ts";
import { ChaosClient } from "./chaos-client.ts";
import type { Unsigned } from "./stock-client.ts";

/** A client on `roomcast/client`; what it is asked about is what the SDK hands on. */
export class SdkClient extends ChaosClient {
  readonly #positions = new Map<string, Position>();
  readonly #joined = new Map<string, Room>();
  #client: Client | undefined;

  protected isConnected(): boolean {
    return this.#client?.status === "connected";
  }

  protected open(url: string): void {
    const client = connect(url);
    this.#client = client;
    this.#joined.clear();
    // The SDK asks again by itself, from where it stands by then: after a refusal, after silence, on a new connection.
    client.socket.onAnyOutgoing((event: string, request?: JoinRequest) => {
      if (event === "join" && request !== undefined) this.#began(request);
    });
    client.socket.on("disconnect", () => {
      this.#record({ kind: "lost" });
      // Most go on elsewhere; some wait for this node, as the SDK does by itself.
      if (this.#client === client && this.options.random() < 0.7) {
        this.close();
        this.lost();
      }
    });
    client.socket.on("connect_error", () => {
      if (this.#client !== client) return;
      this.close();
      this.lost();
    });
    this.wanted.forEach((room) => this.enter(room));
  }

  protected close(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.close();
  }

  protected enter(name: string): void {
    const client = this.#client;
    if (client === undefined) return;
    const since = this.#positions.get(name);
    const known = this.#joined.get(name);
    if (known !== undefined) {
      // A room that is joined anew goes on where it stood.
      if (known.status !== "left") return;
      known.join().catch(() => {});
      return;
    }
    const room = client.room(name, since === undefined ? { rewind: 10 } : { since });
    this.#joined.set(name, room);
    room.onAny((event: string, data: unknown, { epoch, offset, id }: Meta) => {
      const place = { epoch: epoch!, offset: offset!, id };
      this.#positions.set(name, place);
      this.#record({ kind: "message", room: name, ...place, hash: hashOf(event, data) });
    });
    room.on("room:gap", (gap: Gap) => {
      if (room.position !== undefined) this.#positions.set(name, room.position);
      this.#record({ kind: "gap", gap });
    });
    room.on("room:joined", (reply: JoinReply) => {
      this.#positions.set(name, reply.position);
      this.#record({ kind: "joined", room: name, reply });
    });
    room.join().catch(() => {});
  }

  protected exit(name: string): void {
    const room = this.#joined.get(name);
    if (room === undefined || this.#client?.status !== "connected") return;
    this.#record({ kind: "leave", room: name });
    room.leave().then(
      () => room.status === "left" && this.#record({ kind: "left", room: name }),
      () => {},
    );
  }

  #began({ room, since }: JoinRequest): void {
    if (since === undefined) this.#record({ kind: "join", room, start: "rewind" });
    else this.#record({ kind: "join", room, start: "since", since: since as Position });
  }

  #record(seen: Unsigned): void {
    this.options.record({ at: Date.now(), client: this.name, ...seen });
  }
}
