import { createPublisher, HubError } from "../server/publisher/index.ts";
import { failure, HttpSender, outcomeOf } from "./http-sending.ts";
import { ChaosPublisher, runEverywhere, type Outcome, type Outgoing } from "./publishing.ts";
import { randomFrom } from "./random.ts";
import { serveRun, type PublishersPlan } from "./wire.ts";

/** A worker's own deadline, shorter than its default so that a fault outlasts it, in ms. */
const TIMEOUT_MS = 3_000;

const publishers: ChaosPublisher[] = [];
let senders: readonly HttpSender[] = [];
let nodes = 0;

const recorder = serveRun(
  (order) => {
    if (order.kind === "publishers") start(order.plan);
    else if (order.kind === "hush") publishers.forEach((publisher) => publisher.hush());
  },
  () => ({
    kind: "state",
    clients: [],
    publishers: Array.from({ length: nodes }, (_, node) => senders.filter((one) => one.node === node).length),
    unanswered: publishers.reduce((sum, { unanswered }) => sum + unanswered, 0),
    streams: { clients: 0, resumes: 0, deliveries: 0 },
  }),
);

function start({ seed, name, redisUrl, urls, rooms, redisShare, httpShare }: PublishersPlan): void {
  nodes = urls.length;
  const { record } = recorder;
  const worker = createPublisher({ redisUrl, timeoutMs: TIMEOUT_MS });
  const send = (messages: readonly Outgoing[]): Promise<readonly Outcome[]> =>
    Promise.all(
      messages.map(({ room, event, data, id }) =>
        worker
          .emit(room, event, data, { id, ephemeral: false })
          .then(outcomeOf, (error: unknown) => failure(error instanceof HubError ? error.code : "internal")),
      ),
    );
  const redis = new ChaosPublisher({ name: `${name}-redis`, random: randomFrom(seed), record, send });
  const open = rooms.filter(({ planted }) => planted !== true);
  runEverywhere(redis, open, redisShare);
  senders = urls.map((_, node) => new HttpSender(urls, node));
  const overHttp = senders.map(({ send: post }, node) => {
    const random = randomFrom(seed + 1 + node);
    return new ChaosPublisher({ name: `${name}-http${node}`, random, record, send: post });
  });
  overHttp.forEach((publisher) => runEverywhere(publisher, open, httpShare / urls.length));
  runEverywhere(
    overHttp[0]!,
    rooms.filter(({ planted }) => planted === true),
    httpShare + redisShare,
  );
  publishers.push(redis, ...overHttp);
}
