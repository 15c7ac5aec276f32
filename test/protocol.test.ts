import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { parseDuration } from "../shared/duration.ts";
import { RETRYABLE, type ErrorCode } from "../shared/errors.ts";
import { DEFAULT_LIMITS } from "../shared/limits.ts";
import { parseEvent } from "../shared/message.ts";
import { formatCursor, isMessageId, type Position } from "../shared/position.ts";
import type { ClientToServer, ClosingCode, GapReason, ServerToClient } from "../shared/protocol.ts";
import { parseRoomName } from "../shared/room-name.ts";
import { DEFAULT_ROOM_OPTIONS, IDENTITY_MS } from "../shared/room-options.ts";
import {
  BRIDGE_KEY,
  channelOf,
  logKeys,
  nodesKeys,
  OPTIONS_KEY,
  presenceKeys,
  ROOMS_KEY,
  socketRoom,
} from "../server/stores/redis/keys.ts";
import { ROUTES } from "../server/transports/http/routes.ts";
import { HTTP_STATUS } from "../server/transports/http-status.ts";
import { REQUESTS } from "../server/transports/socketio/requests.ts";
import { CHECKS } from "./support/manual-checks.ts";
import { Stage } from "./support/manual-stage.ts";
import { blocksOf, differences, tableOf } from "./support/manual.ts";

const manual = readFileSync(new URL("../PROTOCOL.md", import.meta.url), "utf8");
const blocks = blocksOf(manual);
const byCheck = new Map(blocks.map((block) => [block.check, block]));

const lobby = parseRoomName("chat:lobby");

// The compiler sees to it that none is missing. False: the types have it for later, and no node gives it yet.
const CLIENT_TO_SERVER = {
  join: true,
  leave: true,
  publish: true,
  history: true,
  members: true,
  info: true,
  subscribe: true,
} satisfies Record<keyof ClientToServer, true>;
const SERVER_TO_CLIENT = {
  "room:joined": true,
  "room:closed": true,
  "room:gap": true,
  "room:members": true,
  joined: true,
  "hub:error": true,
  "hub:closing": true,
} satisfies Record<keyof ServerToClient, true>;
const GAP_REASONS = {
  epoch_changed: true,
  trimmed: true,
  rolled_back: true,
  lost: false,
} satisfies Record<GapReason, boolean>;
const CLOSING_CODES = {
  shutdown: true,
  unavailable: true,
  slow: false,
  expired: false,
  invalid_token: false,
  forbidden: false,
  kicked: false,
  protocol: false,
} satisfies Record<ClosingCode, boolean>;

describe("the manual", () => {
  it("gives every block a check of its own, and every check a block", () => {
    expect(byCheck.size).toBe(blocks.length);
    const replies = blocks.map(({ check }) => check).filter((check) => !check.endsWith(" request"));
    expect(replies.toSorted()).toEqual(Object.keys(CHECKS).toSorted());
    // However a block is written, it must be among those that were found.
    expect(blocks).toHaveLength(manual.match(/(`{3}|~{3})\s*(nd)?json/gi)!.length);
  });

  it("shows a request only with its reply", () => {
    const requests = blocks.filter(({ check }) => check.endsWith(" request"));
    expect(requests.filter(({ check }) => !(check.replace(/ request$/, "") in CHECKS))).toEqual([]);
  });

  it.each(Object.keys(CHECKS))("shows what the hub gives: %s", async (name) => {
    const stage = new Stage(byCheck);
    try {
      const given = await CHECKS[name]!(stage, name);
      expect(differences(byCheck.get(name)?.value, stage.asShown(given))).toEqual([]);
      // A request that stands in the manual is the one that was sent.
      expect(stage.used.has(`${name} request`)).toBe(byCheck.has(`${name} request`));
    } finally {
      await stage.close();
    }
  });

  it("writes a cursor as the hub does", () => {
    const cursor = formatCursor(byCheck.get("position")!.value as Position);
    expect(manual).toContain(`The cursor of this position is \`${cursor}\`.`);
  });

  it("explains its words", () => {
    const terms =
      "room,kind,message,ephemeral,position,cursor,since,rewind,recovered,hub,node,publisher".split(",");
    expect(column("term")).toEqual(terms);
  });

  it("has the patterns by which names are checked", () => {
    const patterns = Object.fromEntries(tableOf(manual, "name").map(([name, pattern]) => [name, pattern]));
    const allows = (name: string, text: string): boolean => new RegExp(`^${patterns[name]}$`, "u").test(text);
    const anyText = fc.string({
      unit: fc.constantFrom(...Array.from("aZ09_.:-/@~+= é東٣\u0301#%")),
      maxLength: 6,
    });
    const length = fc.constantFrom(0, 2, 31, 32, 33, 63, 64, 65, 99, 100, 101);
    const text = fc.tuple(anyText, length).map(([some, least]) => some.padEnd(least, "x"));
    fc.assert(
      fc.property(text, (some) => {
        expect(allows("id", some)).toBe(isMessageId(some));
        expect(allows("event", some)).toBe(passes(() => parseEvent(some)));
        expect(allows("room name", some)).toBe(passes(() => parseRoomName(`a:${some}`)));
        const isKind = !some.includes(":") && passes(() => parseRoomName(`${some}:a`));
        expect(allows("kind", some)).toBe(isKind);
      }),
      { numRuns: 2_000 },
    );
  });

  it("names every request and every push", () => {
    expect(column("request")).toEqual(Object.keys(CLIENT_TO_SERVER));
    expect(column("request").toSorted()).toEqual([...Object.keys(REQUESTS), "subscribe"].toSorted());
    expect(column("push")).toEqual(Object.keys(SERVER_TO_CLIENT));
    expect(Object.keys(CHECKS)).toEqual(expect.arrayContaining(column("push")));
  });

  it("explains the reasons of a gap and the codes of a closing", () => {
    expect(column("reason")).toEqual(inUse(GAP_REASONS));
    expect(column("closing code")).toEqual(inUse(CLOSING_CODES));
  });

  it("lists every route, and shows what those reply that reply with JSON", () => {
    const routes = ROUTES.map(({ method, path, reply }) => [
      `${method.toUpperCase()} ${path}`,
      String(reply.status),
    ]);
    const listed = tableOf(manual, "route").map((cells) => cells.slice(0, 2));
    expect(byName(listed)).toEqual(byName(routes));
    const withJson = ROUTES.filter(
      ({ reply }) => (reply.body?.["application/json"] ?? "OpenApi") !== "OpenApi",
    );
    const names = withJson.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect(Object.keys(CHECKS)).toEqual(expect.arrayContaining(names));
  });

  it("has the table of errors", () => {
    const errors = Object.entries(RETRYABLE).map(([code, retryable]) => [
      code,
      String(HTTP_STATUS[code as ErrorCode]),
      retryable ? "yes" : "no",
    ]);
    expect(tableOf(manual, "code").map((cells) => cells.slice(0, 3))).toEqual(errors);
  });

  it("has the limits, each with the code that it gives", () => {
    const limits = tableOf(manual, "limit").map(([name, value]) => [name, numberOf(value)]);
    expect(limits).toEqual(Object.entries(DEFAULT_LIMITS));
    const codes = tableOf(manual, "limit").map((cells) => cells[3]!);
    expect(codes.filter((code) => code.includes("_") && !(code in RETRYABLE))).toEqual([]);
  });

  it("says what rooms keep", () => {
    const kept = tableOf(manual, "rooms").map(([pattern, messages, age, presence, uniqueNames]) => [
      pattern,
      {
        messages: numberOf(messages),
        ageMs: parseDuration(age),
        ...(presence === "yes" ? { presence: true } : {}),
        ...(uniqueNames === "yes" ? { uniqueNames: true } : {}),
      },
    ]);
    expect(Object.fromEntries(kept)).toEqual(DEFAULT_ROOM_OPTIONS);
    const identity = /kept `(\w+)` longer\s+than its messages/.exec(manual)?.[1];
    expect(parseDuration(identity)).toBe(IDENTITY_MS);
  });

  it("has the names of Redis", () => {
    expect(column("key")).toEqual([
      ...logKeys(lobby),
      ...presenceKeys(lobby, "<node>"),
      ...nodesKeys("<node>"),
      ROOMS_KEY,
      OPTIONS_KEY,
      BRIDGE_KEY,
    ]);
    expect(manual).toContain(`\`${channelOf(lobby)}\``);
    expect(manual).toContain(`are in the Socket.IO room \`${socketRoom(lobby)}\``);
  });
});

describe("the reader of the manual", () => {
  it.each([
    ["names no check", "```json\n{}\n```"],
    ["names no check", "<!-- check: a -->\n\n```json\n{}\n```"],
    ["can't be checked", "<!-- check: a -->\n```\n{}\n```"],
    ["can't be checked", "~~~jsonc\n{}\n~~~"],
    ["has no end", "```json\n{}"],
    ["SyntaxError", "<!-- check: a -->\n```json\n{\n```"],
  ])("refuses a block that %s: %j", (reason, text) => {
    expect(() => blocksOf(text)).toThrow(reason);
  });

  it("sees a key too many or too few, another type, another value, another length", () => {
    const shown = { ok: true, list: [1], time: 1 };
    expect(differences(shown, { ...shown, time: 2 })).toEqual([]);
    for (const other of [
      { more: 1 },
      { ok: false },
      { ok: "true" },
      { list: [] },
      { time: "1" },
      { list: {} },
    ])
      expect(differences(shown, { ...shown, ...other })).toHaveLength(1);
    expect(differences(shown, { ok: true, list: [1] })).toHaveLength(1);
  });
});

function byName(rows: readonly string[][]): string[] {
  return rows.map((cells) => cells.join(" ")).toSorted();
}

function column(firstHeader: string): string[] {
  return tableOf(manual, firstHeader).map(([cell]) => cell!);
}

function inUse(all: Readonly<Record<string, boolean>>): string[] {
  return Object.keys(all).filter((name) => all[name]);
}

function numberOf(text: string | undefined): number {
  return Number(text?.replaceAll(",", ""));
}

function passes(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}
