import type { RoomName } from "../../../shared/room-name.ts";

/** The sorted set of all rooms' names, for listings; it may name rooms that are gone. */
export const ROOMS_KEY = "roomcast:rooms";

/** The node that takes what other systems publish, for as long as it is there. */
export const BRIDGE_KEY = "roomcast:bridge";

/** The room options of the nodes, as JSON, for publishers. */
export const OPTIONS_KEY = "roomcast:options";

/** Copies of them far apart among the slots, so that of a cluster no single master is needed by every publisher. */
export const OPTIONS_COPIES: readonly string[] = [`${OPTIONS_KEY}:{0}`, `${OPTIONS_KEY}:{1}`];

/** The name of a room for Socket.IO; the braces put its channel and its keys into one slot of Redis. */
export function socketRoom(room: RoomName): string {
  return `{${room}}`;
}

/** The channel on which `@socket.io/redis-adapter` carries the emits to that Socket.IO room. */
export function channelOf(room: RoomName): string {
  return `socket.io#/#${socketRoom(room)}#`;
}

export function metaKey(room: RoomName): string {
  return `roomcast:meta:{${room}}`;
}

export function logKey(room: RoomName): string {
  return `roomcast:log:{${room}}`;
}

/** All keys of one room's log, in the order in which the scripts take them. */
export function logKeys(room: RoomName): readonly string[] {
  return [logKey(room), metaKey(room), `roomcast:ids:{${room}}`, `roomcast:ids-before:{${room}}`];
}

/** What a room's members are kept in, and those of one node, in the order in which the script takes them. */
export function presenceKeys(
  room: RoomName,
  node: string,
): readonly [here: string, state: string, ...string[]] {
  const tag = socketRoom(room);
  return [
    `roomcast:here:${tag}`,
    `roomcast:here-state:${tag}`,
    `roomcast:here-names:${tag}`,
    `roomcast:here-on:${tag}:${node}`,
  ];
}

/** The nodes and the ends of their leases. */
const NODES_KEY = "roomcast:{nodes}";

/** What is kept of the nodes, in the order in which the script takes it. */
export function nodesKeys(node: string): readonly [nodes: string, clock: string, connections: string] {
  return [NODES_KEY, `${NODES_KEY}:clock`, `${NODES_KEY}:connections:${node}`];
}
