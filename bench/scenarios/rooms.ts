import type { Case, Scenario, Settings } from "../scenario.ts";
import { roomcast, socketIo, type Target } from "../servers/servers.ts";
import { fanOut, MORE_DELIVERIES, withPeers, type FanOut } from "./fan-out.ts";

const SMOKE_SOCKETS = 20;
const SMOKE_ROOMS = 10;
const ROOMS = 1_000;

function fanOutCase(
  name: string,
  targets: readonly Target[],
  plan: FanOut,
  compared = MORE_DELIVERIES,
): Case {
  return { name, targets, compared, measure: (target, processes) => fanOut(processes, target, plan) };
}

function socketsOf({ smoke, sockets }: Settings, standard: number): number {
  return sockets ?? (smoke ? SMOKE_SOCKETS : standard);
}

const hotRoom: Scenario = {
  name: "hot-room",
  does: "one room, 200-byte messages, 16 POSTs in flight",
  cases: (settings) => {
    const sizes = settings.smoke || settings.sockets !== undefined ? [1_000] : [200, 1_000, 5_000];
    return sizes.map((standard) => {
      const socketsPerRoom = socketsOf(settings, standard);
      const plan = { socketsPerRoom, load: {}, run: { seconds: settings.seconds } };
      return fanOutCase(`${socketsPerRoom} sockets`, withPeers(settings), plan);
    });
  },
};

const batches: Scenario = {
  name: "batches",
  does: "one room, 20 messages in each POST, 16 in flight",
  cases: (settings) => {
    const socketsPerRoom = socketsOf(settings, 1_000);
    const load = { batch: 20, body: "array" } as const;
    const plan = { socketsPerRoom, load, run: { seconds: settings.seconds } };
    return [fanOutCase(`${socketsPerRoom} sockets`, withPeers(settings), plan)];
  },
};

const oneAtATime: Scenario = {
  name: "one-at-a-time",
  does: "one room, the next POST when the one before is answered",
  cases: (settings) => {
    const socketsPerRoom = socketsOf(settings, 1_000);
    const plan = { socketsPerRoom, load: { inFlight: 1 }, run: { seconds: settings.seconds } };
    return [fanOutCase(`${socketsPerRoom} sockets`, withPeers(settings), plan)];
  },
};

const rates: Scenario = {
  name: "rates",
  does: "one room, 20 and 100 messages a second, with the time from when each was due",
  cases: (settings) => {
    const socketsPerRoom = socketsOf(settings, 1_000);
    return (settings.smoke ? [100] : [20, 100]).map((perSecond) => {
      const plan = { socketsPerRoom, load: {}, run: { seconds: settings.seconds, perSecond } };
      const compared = [...MORE_DELIVERIES, { figure: "p99 ms", better: "less" } as const];
      return fanOutCase(`${perSecond} msg/s x ${socketsPerRoom}`, withPeers(settings), plan, compared);
    });
  },
};

const manyRooms: Scenario = {
  name: "many-rooms",
  does: "1,000 rooms of 2 sockets, each message into the next room, by POST and by 16 sockets that publish",
  cases: (settings) =>
    (["http", "sockets"] as const).map((way) => {
      const rooms = settings.smoke ? SMOKE_ROOMS : ROOMS;
      const plan = { rooms, socketsPerRoom: 2, load: { way }, run: { seconds: settings.seconds } };
      return fanOutCase(`${rooms} rooms x 2, ${way}`, withPeers(settings), plan);
    }),
};

const twoNodes: Scenario = {
  name: "two-nodes",
  does: "two nodes over Redis: publish on one, 1,000 subscribers on the other, 16 messages between them",
  cases: (settings) => {
    const socketsPerRoom = socketsOf(settings, 1_000);
    const targets = [roomcast("redis"), socketIo("classic"), socketIo("sharded")];
    const plan = { socketsPerRoom, load: {}, run: { seconds: settings.seconds }, nodes: 2 as const };
    return [fanOutCase(`${socketsPerRoom} sockets`, targets, plan)];
  },
};

export const roomScenarios: readonly Scenario[] = [hotRoom, batches, oneAtATime, rates, manyRooms, twoNodes];
