import { io, type Socket } from "socket.io-client";
import type { Meta } from "../../shared/message.ts";
import { randomId } from "../../shared/message-id.ts";
import type { Gap, RoomClosed } from "../../shared/protocol.ts";
import { Requests } from "./requests.ts";
import { Room, type RoomOptions } from "./room.ts";

export { HubError, type ErrorCode } from "../../shared/errors.ts";
export type { Meta } from "../../shared/message.ts";
export type { Position } from "../../shared/position.ts";
export type { Gap, JoinReply, PublishReply, RoomClosed } from "../../shared/protocol.ts";
export type { AnyListener, PublishOptions, Room, RoomOptions } from "./room.ts";

export interface ConnectOptions {
  /** The name under which this client speaks. */
  readonly username?: string;
  /**
   * Makes this client the same user as another one with the same text: 8-64 of A-Z a-z 0-9 _ -, known to nobody else.
   * Without it, it is a user of its own, the same over all its reconnects.
   */
  readonly guest?: string;
  /** Proves who this is; a function is asked on every reconnect. */
  readonly token?: string | (() => string | Promise<string>);
}

/** A connection to the hub; it comes back by itself, and all joined rooms with it. */
export interface Client {
  /** The stock socket.io-client underneath. */
  readonly socket: Socket;
  /** A room, not joined yet; the same name gives the same room. */
  room(name: string, options?: RoomOptions): Room;
  /** Ends the connection; what is unanswered is rejected with `bad_request`. */
  close(): void;
}

/** Connects to a hub. `url` is the hub's address, such as `http://localhost:3000`. */
export function connect(url: string, { username, token, guest = randomId() }: ConnectOptions = {}): Client {
  const rooms = new Map<string, Room>();
  const socket = io(url, {
    transports: ["websocket", "polling"],
    // Without it the second would never be tried, where something on the way takes no WebSockets.
    tryAllTransports: true,
    auth: (give) => {
      const asked = typeof token === "function" ? token() : token;
      Promise.resolve(asked).then(
        (known) => give({ username, guest, token: known }),
        // Without a token the hub refuses, and says so.
        () => give({ username, guest }),
      );
    },
  });
  const requests = new Requests(socket);

  socket.onAny((event: string, data: unknown, meta: Meta | undefined) => {
    if (event === "room:gap") rooms.get((data as Gap).room)?.skip(data as Gap);
    else if (event === "room:closed") rooms.get((data as RoomClosed).room)?.close(data as RoomClosed);
    else if (meta !== undefined) rooms.get(meta.room)?.receive(event, data, meta);
  });
  let connectedBefore = false;
  socket.on("connect", () => {
    // The first join waits in the socket's buffer; only what was joined before has to be joined again.
    if (connectedBefore) rooms.forEach((room) => room.resume());
    connectedBefore = true;
  });

  return {
    socket,
    room(name, options = {}) {
      let room = rooms.get(name);
      if (room === undefined) {
        room = new Room(name, requests, options);
        rooms.set(name, room);
      }
      return room;
    },
    close() {
      socket.disconnect();
      requests.end();
    },
  };
}
