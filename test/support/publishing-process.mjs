/**
 * Publishes in waves, from a process of its own and out of the built package: each message from the parent is
 * `{ room, count }`, and is answered with the results of that many messages, whose data is `{ from, n }`.
 */
import { createPublisher } from "roomcast/publisher";

const from = Number(process.argv[2]);
const publisher = createPublisher({ timeoutMs: 30_000 });
let n = 0;

process.on("message", (/** @type {{ room: string, count: number }} */ { room, count }) => {
  const wave = Array.from({ length: count }, () => {
    n += 1;
    return publisher.emit(room, "n", { from, n });
  });
  process.send?.({ started: wave.length });
  Promise.all(wave).then(
    (results) => process.send?.({ results }),
    (/** @type {unknown} */ error) => process.send?.({ error: String(error) }),
  );
});
// Without this channel, nothing is left that keeps the process: it has to end by itself.
process.on("disconnect", () => void publisher.close());
