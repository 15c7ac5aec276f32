import type { LoadPlan } from "../load/publishers.ts";
import type { Case, Compared, Scenario } from "../scenario.ts";
import { roomcast, socketIo } from "../servers/servers.ts";
import { fanOut, withPeers } from "./fan-out.ts";

/** Keep-alive connections, each with one POST under way. */
const CONNECTIONS = 32;
const ARRAY = 50;
const LINES = 500;
/** Emits that a worker has under way at once. */
const EMITS = 256;
const DATA_BYTES = 64;
/** One subscriber gets all of it, faster than any browser: it must not be taken for a slow reader. */
const limits = { outboundBytes: 64 * 2 ** 20 };
const compared: readonly Compared[] = [{ figure: "messages/cpu-s", better: "more" }];

export const ingest: Scenario = {
  name: "ingest",
  does: "a room with 1 subscriber: single POSTs, arrays, NDJSON, and emitToRoom against an awaited SPUBLISH",
  cases: (settings) => {
    const plan = { socketsPerRoom: 1, dataBytes: DATA_BYTES, limits, run: { seconds: settings.seconds } };
    const posts = (name: string, load: Partial<LoadPlan>, peer: Partial<LoadPlan> = load): Case => ({
      name,
      targets: withPeers(settings),
      compared,
      measure: (target, processes) =>
        fanOut(processes, target, {
          ...plan,
          load: { inFlight: CONNECTIONS, ...(target.kind === "roomcast" ? load : peer) },
        }),
    });
    return [
      posts("single POST", {}),
      posts(`arrays of ${ARRAY}`, { batch: ARRAY, body: "array" }),
      // The peer reads no lines; an array of as many is the nearest that it has. roomcast's may not be as long.
      posts(`NDJSON, ${LINES} lines`, { batch: LINES, body: "lines" }, { batch: LINES, body: "array" }),
      {
        name: "emitToRoom / awaited SPUBLISH",
        targets: [roomcast("redis"), socketIo("sharded")],
        compared: [...compared, { figure: "messages/s", better: "more" }],
        measure: (target, processes) =>
          fanOut(processes, target, {
            ...plan,
            load:
              target.kind === "roomcast"
                ? { way: "emitToRoom", inFlight: EMITS }
                : { way: "spublish", inFlight: 1 },
          }),
      },
    ];
  },
};
