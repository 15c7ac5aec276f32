import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { ChaosPublisher } from "../publishing.ts";
import { oneOf, randomFrom, type Random } from "../random.ts";
import { serveRun, type ClientsPlan, type RoomPlan, type StreamFigures } from "../wire.ts";
import type { ChaosClient, ClientOptions } from "./chaos-client.ts";
import { SdkClient } from "./sdk-client.ts";
import { StockClient } from "./stock-client.ts";
import { StreamClient } from "./stream-client.ts";

/** All clients come within so long, in ms. */
const ARRIVE_MS = 2_000;
/** Every so manieth client also publishes, so many messages a second. */
const SPEAKERS = { every: 12, rate: 0.5 };
/** Every so manieth client reads a stream of events. */
const STREAMS_EVERY = 5;

const clients: ChaosClient[] = [];
const speakers: { readonly client: ChaosClient; readonly publisher: ChaosPublisher }[] = [];
let nodes = 0;
let settled = false;

const recorder = serveRun(
  (order) => {
    if (order.kind === "clients") start(order.plan);
    else if (order.kind === "hush") speakers.forEach(({ publisher }) => publisher.hush());
    else if (order.kind === "settle") {
      settled = true;
      clients.forEach((client) => client.settle());
    }
  },
  () => ({
    kind: "state",
    clients: perNode(clients),
    publishers: perNode(speakers.map(({ client }) => client)),
    unanswered: speakers.reduce((sum, { publisher }) => sum + publisher.unanswered, 0),
    streams: streamsOf(clients.filter((client) => client instanceof StreamClient)),
    ...(settled
      ? { wanted: clients.flatMap(({ name, rooms }) => rooms.map((room) => ({ client: name, room }))) }
      : {}),
  }),
);

function start(plan: ClientsPlan): void {
  const { seed, first, count, urls, rooms, stayMs, awayMs, roomMs } = plan;
  nodes = urls.length;
  for (let i = first; i < first + count; i += 1) {
    const random = randomFrom(seed * 7_919 + i);
    const options: ClientOptions = {
      name: `client-${i}`,
      random,
      urls,
      rooms: roomsFor(rooms, i, random),
      record: recorder.record,
      nextNode: (lost) => leastLoaded(random, lost),
      stayMs,
      awayMs,
      roomMs,
    };
    const client = makeClient(i, options);
    clients.push(client);
    setTimeout(() => client.start(), random() * ARRIVE_MS);
    if (client instanceof StockClient && i % SPEAKERS.every === 0) speak(client, options);
  }
}

/**
 * Every fifth reads a stream of events. Of six others: three on WebSocket, one that upgrades to it, one that polls, one on
 * the SDK; of each, some in the URL.
 */
function makeClient(index: number, options: ClientOptions): ChaosClient {
  if (index % STREAMS_EVERY === 3)
    return new StreamClient({ ...options, rooms: options.rooms.slice(0, DEFAULT_LIMITS.roomsPerStream) });
  const kind = index % 6;
  const inUrl = index % 4 === 1;
  if (kind === 5) return new SdkClient(options);
  if (kind === 4) return new StockClient({ ...options, transports: ["polling"], inUrl });
  if (kind === 3) return new StockClient({ ...options, transports: ["polling", "websocket"], inUrl });
  return new StockClient({ ...options, transports: ["websocket"], inUrl });
}

function roomsFor(rooms: readonly RoomPlan[], index: number, random: Random): string[] {
  const chosen = rooms.filter(({ share }) => random() < share).map(({ room }) => room);
  return chosen.length > 0 ? chosen : [rooms[index % rooms.length]!.room];
}

function speak(client: StockClient, { name, random, record, rooms }: ClientOptions): void {
  const publisher = new ChaosPublisher({ name: `${name}-socket`, random, record, send: client.send });
  speakers.push({ client, publisher });
  void publisher.run(rooms[0]!, SPEAKERS.rate);
}

function streamsOf(streams: readonly StreamClient[]): StreamFigures {
  const sum = (of: "resumes" | "deliveries"): number =>
    streams.reduce((all, { figures }) => all + figures[of], 0);
  return { clients: streams.length, resumes: sum("resumes"), deliveries: sum("deliveries") };
}

function perNode(some: readonly ChaosClient[]): number[] {
  const counts = Array.from({ length: nodes }, () => 0);
  for (const { node } of some) if (node !== undefined) counts[node]! += 1;
  return counts;
}

/** A node that was away fills up again, and none stays empty. */
function leastLoaded(random: Random, lost: number | undefined): number {
  const others = perNode(clients)
    .map((count, node) => ({ count, node }))
    .filter(({ node }) => node !== lost);
  if (random() < 0.3) return oneOf(random, others).node;
  return others.reduce((least, one) => (one.count < least.count ? one : least)).node;
}
