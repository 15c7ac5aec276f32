import { createClient } from "redis";
import { createPublisher } from "../../server/publisher/index.ts";
import { EVENT } from "../wire/message.ts";
import { RawSocket } from "../wire/raw-socket.ts";
import type { Lane } from "./lane.ts";

/** Sockets that publish, each with one request at a time. */
export async function socketLane(url: string): Promise<Lane> {
  const socket = await RawSocket.open(url);
  return {
    async send(room, datas) {
      for (const data of datas)
        await socket.request("publish", `{"room":"${room}","event":"${EVENT}","data":${data}}`);
    },
    close: () => socket.end(),
  };
}

/** So many lanes over one publisher, as a worker that does not wait for one emit before the next. */
export function emitToRoomLanes(redisUrl: string, count: number): Lane[] {
  const publisher = createPublisher({ redisUrl });
  const lane: Lane = {
    async send(room, datas) {
      await Promise.all(datas.map((data) => publisher.emit(room, EVENT, JSON.parse(data))));
    },
    close: () => publisher.close(),
  };
  return Array.from({ length: count }, () => lane);
}

/** What the sharded adapter calls a broadcast; a Socket.IO event is packet type 2. */
const BROADCAST = 3;
const SOCKET_EVENT = 2;

/** A worker that publishes to Socket.IO's sharded adapter in its own form, and waits for Redis each time. */
export async function shardedPublishLane(redisUrl: string): Promise<Lane> {
  const client = createClient({ url: redisUrl });
  await client.connect();
  let offset = 0;
  return {
    async send(room, datas) {
      for (const data of datas) {
        const meta = { room, offset: (offset += 1) };
        const packet = { type: SOCKET_EVENT, data: [EVENT, JSON.parse(data), meta], nsp: "/" };
        const opts = { rooms: [room], except: [], flags: {} };
        const message = { uid: "bench", nsp: "/", type: BROADCAST, data: { opts, packet } };
        await client.sPublish(`socket.io#/#${room}#`, JSON.stringify(message));
      }
    },
    close: () => client.destroy(),
  };
}
