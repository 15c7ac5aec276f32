import type { Scenario } from "../scenario.ts";
import { roomcast, socketIo } from "../servers/servers.ts";
import { fanOut, MORE_DELIVERIES } from "./fan-out.ts";

const SOCKETS = 1_000;
const SMOKE_SOCKETS = 20;
const IN_FLIGHT = [16, 1];

export const streams: Scenario = {
  name: "streams",
  does: "one room, 2,000 readers of server-sent events, alone and beside 1,000 sockets, 16 POSTs in flight and one at a time",
  cases: ({ smoke, seconds, stores, sockets = smoke ? SMOKE_SOCKETS : SOCKETS }) => {
    const streamsPerRoom = 2 * sockets;
    return [0, sockets].flatMap((socketsPerRoom) =>
      IN_FLIGHT.map((inFlight) => {
        const mixed = { socketsPerRoom, streamsPerRoom };
        const all = { socketsPerRoom: socketsPerRoom + streamsPerRoom };
        const rest = { load: { inFlight }, run: { seconds } };
        return {
          name: `${streamsPerRoom} streams + ${socketsPerRoom} sockets, ${inFlight} in flight`,
          targets: [...stores.map(roomcast), socketIo("none")],
          compared: MORE_DELIVERIES,
          measure: (target, processes) =>
            fanOut(processes, target, { ...(target.kind === "roomcast" ? mixed : all), ...rest }),
        };
      }),
    );
  },
};
