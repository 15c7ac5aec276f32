import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import express from "express";
import { createClient } from "redis";
import { Server } from "socket.io";

/** What plain Socket.IO gets beside itself. */
export type PeerAdapter = "none" | "classic" | "sharded";

interface Outgoing {
  readonly event: string;
  readonly data: unknown;
}

// Plain Socket.IO as its manual has it: an Express route that emits. It numbers what it emits, so that a hole shows.
const [adapter = "none", redisUrl = ""] = process.argv.slice(2);
const app = express();
const server = createServer(app);
const io = new Server(server, { serveClient: false, ...(await adapterOptions()) });
const tops = new Map<string, number>();

function emit(room: string, { event, data }: Outgoing): void {
  const offset = (tops.get(room) ?? 0) + 1;
  tops.set(room, offset);
  io.to(room).emit(event, data, { room, offset });
}

app.use(express.json({ limit: "4mb" }));
app.post("/rooms/:room/messages", (request, response) => {
  const body = request.body as Outgoing | readonly Outgoing[];
  if (Array.isArray(body)) for (const one of body as Outgoing[]) emit(request.params.room, one);
  else emit(request.params.room, body as Outgoing);
  response.status(201).json({ ok: true });
});

io.on("connection", (socket) => {
  socket.on("join", async ({ room }: { room: string }, acknowledge: (reply: object) => void) => {
    await socket.join(room);
    acknowledge({ ok: true });
  });
  socket.on("publish", (message: Outgoing & { room: string }, acknowledge: (reply: object) => void) => {
    emit(message.room, message);
    acknowledge({ ok: true });
  });
});

server.listen(0, "127.0.0.1", () => {
  console.log(`socket.io listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

async function adapterOptions(): Promise<object> {
  if (adapter === "none") return {};
  const publisher = createClient({ url: redisUrl });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const create = adapter === "classic" ? createAdapter : createShardedAdapter;
  return { adapter: create(publisher, subscriber) };
}
