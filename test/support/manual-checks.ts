import { expect } from "@jest/globals";
import type { From } from "../../shared/message.ts";
import { ephemeralTail, packetHead, packetTail } from "../../shared/packet.ts";
import type { Position } from "../../shared/position.ts";
import { parseRoomName } from "../../shared/room-name.ts";
import { MEMBERS_WIRE_END, MEMBERS_WIRE_START } from "../../server/stores/redis/members-wire.ts";
import { WIRE_END, wireReader, wireStart } from "../../server/stores/redis/wire.ts";
import type { ClientOptions, Stage } from "./manual-stage.ts";
import { PlainSocket } from "./plain-socket.ts";

const LOBBY = "/rooms/chat%3Alobby";
const MESSAGES = "POST /rooms/:room/messages";
const ANA = { auth: { username: "ana" } };
const lobby = parseRoomName("chat:lobby");

/** Gives what the manual shows, from a hub that runs; `name` is the block's, and its request's with " request" added. */
type Check = (stage: Stage, name: string) => Promise<unknown>;

/** Sends the manual's request after the talk in the lobby. */
const askAfterTalk: Check = async (stage, name) => {
  await (await stage.start()).talk();
  return stage.ask(name);
};

const ask: Check = async (stage, name) => (await stage.start()).ask(name);

const tell: Check = async (stage, name) => (await stage.start()).tell(name);

/** Reads a route after the talk. */
function get(path: string): Check {
  return async (stage, route) => {
    await (await stage.start()).talk();
    return stage.call(route, path);
  };
}

/** Posts the manual's request. */
function post(route: string, path: string): Check {
  return async (stage, name) => (await stage.start()).call(route, path, stage.request(name));
}

/** Connects in the way that the manual's request says. */
function connect(asOptions: (request: object) => ClientOptions): Check {
  return async (stage, name) => {
    await (await stage.start()).talk();
    return stage.connecting(asOptions(stage.request(name))).event("room:joined", "chat:lobby");
  };
}

/** Gives the first frame of a plain WebSocket to which something happens. */
async function frameOf(url: string, happen: (plain: PlainSocket) => unknown = () => {}): Promise<unknown> {
  const plain = await PlainSocket.open(url);
  await happen(plain);
  const [first] = (await plain.got(1)).frames;
  plain.socket.terminate();
  return first;
}

interface Wire {
  readonly data: {
    readonly packet: { readonly data: [string, unknown, Position & { time: number; from: From }] };
  };
}

/** Writes the manual's packet as the hub does; even the order of its fields is promised. */
function wire(tail: (meta: Position & { time: number }) => string, except?: string): Check {
  return async (stage, name) => {
    const shown = stage.shown(name) as Wire;
    const [event, data, meta] = shown.data.packet.data;
    const head = packetHead(lobby, event, JSON.stringify(data), meta.from);
    const text = wireStart(lobby, except) + head + tail(meta) + WIRE_END;
    expect(JSON.stringify(shown)).toBe(text);
    return JSON.parse(text);
  };
}

/** Every check of the manual, by the name that its block has. */
export const CHECKS: Readonly<Record<string, Check>> = {
  async position(stage) {
    await (await stage.start()).talk();
    const { position } = (await stage.call("GET /rooms/:room", LOBBY)) as { position: Position };
    return position;
  },

  async handshake(stage, name) {
    await stage.start();
    const client = await stage.client({ auth: { ...stage.request(name) } });
    await client.join("chat:lobby");
    await stage.ask("publish", client);
    return client.event("message");
  },
  async connect_error(stage) {
    const { socket } = (await stage.start()).connecting({ auth: { username: "" } });
    const error = await new Promise<{ data?: unknown }>((resolve) => socket.once("connect_error", resolve));
    expect(socket.active).toBe(false);
    return error.data;
  },
  async "refused transport"(stage) {
    const { url } = await stage.start();
    const headers = { origin: "https://elsewhere.example.com" };
    const reply = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers });
    expect(reply.status).toBe(403);
    return reply.json();
  },
  "room:joined": connect((query) => ({ query: { ...query } })),
  "resume in the handshake": connect((auth) => ({ query: { room: "chat:lobby" }, auth: { ...auth } })),
  "room:closed": async (stage) =>
    (await stage.start()).connecting({ query: { room: "lobby" } }).event("room:closed"),

  refused: ask,
  async "refused for a while"(stage) {
    await stage.start({ limits: { messageBurst: 1, messagesPerSecond: 1 } });
    const client = await stage.client();
    await stage.ask("publish", client);
    return stage.ask("publish", client);
  },
  "hub:error": tell,
  joined: tell,

  join: askAfterTalk,
  "join since": askAfterTalk,
  "join since an older log": askAfterTalk,
  async leave(stage, name) {
    const client = await (await stage.start()).client();
    await client.join("chat:lobby");
    return stage.ask(name, client);
  },
  "join with presence": ask,
  async info(stage, name) {
    const ana = await (await stage.start()).client(ANA);
    await ana.join("chat:lobby");
    return stage.ask(name, ana);
  },
  async members(stage, name) {
    const ana = await (await stage.start()).client(ANA);
    await ana.join("chat:lobby");
    return stage.ask(name, ana);
  },
  async "room:members"(stage) {
    const ben = await (await stage.start()).client({ auth: { username: "ben" } });
    await ben.join("chat:lobby", { presence: true });
    await (await stage.client(ANA)).join("chat:lobby");
    return ben.event("room:members");
  },
  publish: ask,
  async "publish again"(stage) {
    const client = await (await stage.start()).client();
    await stage.ask("publish", client);
    return stage.ask("publish", client);
  },
  "publish an ephemeral message": ask,
  async "ephemeral message"(stage) {
    const [ana, ben] = [await (await stage.start()).client(ANA), await stage.client()];
    for (const client of [ana, ben]) await client.join("chat:lobby");
    await stage.ask("publish an ephemeral message", ana);
    const message = await ben.event("typing");
    expect(ana.events).toEqual([]);
    return message;
  },
  history: askAfterTalk,
  "history after a position": askAfterTalk,

  async "room:gap"(stage) {
    await (await stage.start({ rooms: { "chat:*": { messages: 1 } } })).talk();
    const client = await stage.client();
    await stage.ask("join since", client);
    expect(client.events.map(([event]) => event)).toEqual(["room:gap", "message"]);
    return client.event("room:gap");
  },
  async "hub:closing"(stage) {
    const client = await (await stage.start()).client();
    await stage.hub.close();
    expect(client.socket.active).toBe(true);
    return client.event("hub:closing");
  },

  async "HTTP error"(stage) {
    const { url } = await stage.start();
    return (await fetch(`${url}/rooms/lobby`)).json();
  },
  "POST /rooms/:room/messages": post(MESSAGES, `${LOBBY}/messages`),
  "POST /rooms/:room/messages ephemeral": post(MESSAGES, `${LOBBY}/messages`),
  "POST /rooms/:room/messages array": post(MESSAGES, `${LOBBY}/messages`),
  async "POST /rooms/:room/messages lines"(stage, name) {
    const { url } = await stage.start();
    const body = (stage.request(name) as string[]).join("\n");
    const headers = { "content-type": "application/x-ndjson" };
    const reply = await fetch(`${url}${LOBBY}/messages`, { method: "POST", headers, body });
    expect(reply.headers.get("content-type")).toBe("application/x-ndjson");
    return (await reply.text()).trimEnd().split("\n");
  },
  "POST /messages": post("POST /messages", "/messages"),
  "GET /rooms/:room/messages": get(`${LOBBY}/messages?after=1&limit=1`),
  async "GET /rooms"(stage, route) {
    await (await stage.start()).talk();
    // A second room, so that there is another page.
    const client = await stage.client();
    await client.ask("publish", { room: "stream:build-42", event: "log", data: {} });
    return stage.call(route, "/rooms?limit=1");
  },
  "GET /rooms/:room": get(LOBBY),
  async "GET /rooms/:room/members"(stage, route) {
    await (await (await stage.start()).client(ANA)).join("chat:lobby");
    return stage.call(route, `${LOBBY}/members`);
  },
  "GET /events/position": get("/events/position?room=chat:lobby&room=build-42"),
  async "a log's frame"(stage) {
    const { url, hub } = await stage.start();
    const shown = stage.shown("a log's frame");
    return frameOf(`${url}/ws/logs/build-42?rewind=1`, () => hub.publish("stream:build-42", "log", shown));
  },
  async "a chat's frame"(stage) {
    const { url } = await stage.start();
    return frameOf(`${url}/chat/lobby?username=ana`, (plain) => plain.send("hello"));
  },
  async "a gap's frame"(stage) {
    await (await stage.start({ rooms: { "chat:*": { messages: 1 } } })).talk();
    return frameOf(`${stage.url}/chat/lobby?username=cem&since=gone.2.m-2`);
  },
  async "an error's frame"(stage) {
    const { url } = await stage.start({ limits: { messageBurst: 1, messagesPerSecond: 1 } });
    const plain = await PlainSocket.open(`${url}/chat/lobby?username=ana`);
    plain.send("one");
    plain.send("two");
    await plain.got(2);
    plain.socket.terminate();
    return plain.frames.find((one) => "error" in (one as object));
  },
  async "POST /live/:id"(stage, route) {
    const client = await (await stage.start()).client();
    await client.join("stream:build-42");
    await stage.call(route, "/live/build-42", stage.request(route));
    return client.event("log");
  },
  "GET /healthz": get("/healthz"),
  "GET /readyz": get("/readyz"),

  "wire text": wire(packetTail),
  "wire text of an ephemeral message": wire(
    ({ id, time }) => ephemeralTail(id, time),
    "kFMwae-ZRRh60gz3AAAA",
  ),

  async "wire text of a change of members"(stage, name) {
    const shown = stage.shown(name) as { data: object };
    const text = JSON.stringify(shown);
    expect(text.startsWith(MEMBERS_WIRE_START) && text.endsWith(MEMBERS_WIRE_END)).toBe(true);
    expect(wireReader(lobby)(Buffer.from(text))).toEqual({ kind: "members", change: shown.data });
    return shown;
  },
};
