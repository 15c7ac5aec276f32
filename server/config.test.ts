import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { DEFAULT_LIMITS } from "../shared/limits.ts";
import { DEFAULT_ROOM_OPTIONS } from "../shared/room-options.ts";
import { ConfigError, loadConfig, OPTIONS, type Config, type Source } from "./config.ts";

const STORES = ["disk", "memory"] as const;
const WHEN = ["synced", "written"] as const;
const folder = mkdtempSync(join(tmpdir(), "roomcast-config-"));
let files = 0;

afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(content: unknown): string {
  const path = join(folder, `${(files += 1)}.json`);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function problemsOf(given: Source, env: Source = {}, file?: string): readonly string[] {
  try {
    loadConfig(given, env, file);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
  return [];
}

describe("a configuration", () => {
  test("is the default where nothing is said", () => {
    expect(loadConfig({})).toEqual({
      port: 3_000,
      host: "127.0.0.1",
      redisUrl: undefined,
      bridge: [],
      store: "disk",
      data: "./data",
      durability: "synced",
      origins: [],
      open: false,
      fastPath: true,
      logLevel: "info",
      rooms: DEFAULT_ROOM_OPTIONS,
      limits: DEFAULT_LIMITS,
    });
  });

  interface Said {
    readonly key: keyof Config;
    readonly env: string;
    /** As the flag, the environment and the file say it, and what becomes of each. */
    readonly values: readonly [unknown, string, unknown];
    readonly read: readonly [unknown, unknown, unknown];
  }

  const said: readonly Said[] = [
    { key: "port", env: "PORT", values: ["1", "2", 3], read: [1, 2, 3] },
    { key: "host", env: "HOST", values: ["::1", "::2", "127.0.0.2"], read: ["::1", "::2", "127.0.0.2"] },
    {
      key: "redisUrl",
      env: "REDIS_URL",
      values: ["redis://a", "rediss://u:p@b:1/2", "redis://c:1,redis://d"],
      read: ["redis://a", "rediss://u:p@b:1/2", "redis://c:1,redis://d"],
    },
    {
      key: "bridge",
      env: "ROOMCAST_BRIDGE",
      values: [["socketio"], "eventstream, emitter", []],
      read: [["socketio"], ["eventstream", "emitter"], []],
    },
    { key: "store", env: "ROOMCAST_STORE", values: [...STORES, "memory"], read: [...STORES, "memory"] },
    { key: "data", env: "ROOMCAST_DATA", values: ["a", "/b", "./c"], read: ["a", "/b", "./c"] },
    { key: "durability", env: "ROOMCAST_DURABILITY", values: [...WHEN, "synced"], read: [...WHEN, "synced"] },
    {
      key: "origins",
      env: "ROOMCAST_ORIGINS",
      values: ["https://a.example", "https://b.example, http://c.example:8080", ["https://d.example"]],
      read: [["https://a.example"], ["https://b.example", "http://c.example:8080"], ["https://d.example"]],
    },
    { key: "open", env: "ROOMCAST_OPEN", values: [true, "0", true], read: [true, false, true] },
    { key: "fastPath", env: "ROOMCAST_FAST_PATH", values: [false, "1", "no"], read: [false, true, false] },
    {
      key: "logLevel",
      env: "LOG_LEVEL",
      values: ["warn", "error", "silent"],
      read: ["warn", "error", "silent"],
    },
  ];

  test("is tested here for every option that has a flag", () => {
    expect(said.map(({ key }) => key)).toEqual(OPTIONS.filter(({ flag }) => flag).map(({ key }) => key));
  });

  test.each(said)("takes $key from the flag before $env before the file", ({ key, env, values, read }) => {
    const [flag, variable, inFile] = values;
    const file = fileWith({ [key]: inFile });
    const given = key === "redisUrl" ? {} : { redisUrl: "redis://a" };
    expect(loadConfig({ ...given, [key]: flag }, { [env]: variable }, file)[key]).toEqual(read[0]);
    expect(loadConfig(given, { [env]: variable }, file)[key]).toEqual(read[1]);
    expect(loadConfig(given, {}, file)[key]).toEqual(read[2]);
    expect(loadConfig({ ...given, [key]: undefined }, { [env]: "" }, file)[key]).toEqual(read[2]);
  });

  test.each([
    ["0", 0],
    ["65535", 65_535],
    [0, 0],
    [65_535, 65_535],
  ])("takes the port %j", (port, read) => {
    expect(loadConfig({ port }).port).toBe(read);
  });

  const flags = { 1: true, true: true, yes: true, 0: false, false: false, no: false };
  test.each(Object.entries(flags))("takes ROOMCAST_OPEN=%s as %j", (variable, open) => {
    expect(loadConfig({}, { ROOMCAST_OPEN: variable }).open).toBe(open);
  });

  test("has the options of the rooms it names, and the default ones of the others", () => {
    const rooms = {
      "chat:*": { messages: 5 },
      "chat:team-*": { uniqueNames: false },
      "stream:build-*": { age: "5m" },
      "user:ana": { messages: 0, age: "90s" },
      "other:*": {},
    };
    const { "chat:*": chat, "stream:*": stream } = DEFAULT_ROOM_OPTIONS;
    expect(loadConfig({}, {}, fileWith({ rooms })).rooms).toEqual({
      ...DEFAULT_ROOM_OPTIONS,
      "chat:*": { ...chat, messages: 5 },
      "chat:team-*": { ...chat, uniqueNames: false },
      "stream:build-*": { messages: stream!.messages, ageMs: 300_000 },
      "user:ana": { messages: 0, ageMs: 90_000 },
      "other:*": stream,
    });
  });

  test("has the limits it names, and the default ones beside them", () => {
    const limits = { dataBytes: 1, messagesPerSecond: 2 ** 31 - 1 };
    expect(loadConfig({}, {}, fileWith({ limits })).limits).toEqual({ ...DEFAULT_LIMITS, ...limits });
  });
});

interface Fault {
  readonly name: string;
  readonly given?: Source;
  readonly env?: Source;
  readonly content?: Readonly<Record<string, unknown>>;
  readonly problem: RegExp;
}

/** Each can be told of beside the others: no two are about the same option of the same source. */
const faults: readonly Fault[] = [
  {
    name: "an unknown key in the file",
    content: { prot: 1 },
    problem: /\.json: prot: no such option \(there are port, /,
  },
  { name: "an unknown key of createHub", given: { redisURL: "x" }, problem: /^redisURL: no such option/ },
  {
    name: "a port that is no number",
    env: { PORT: "http" },
    problem: /^PORT: .*whole number from 0 to 65535/,
  },
  {
    name: "an origin with a path",
    env: { ROOMCAST_ORIGINS: "https://a.example/b" },
    problem: /^ROOMCAST_ORIGINS\.0: .*https:\/\/app/,
  },
  {
    name: "a wrong address of Redis",
    given: { redisUrl: "http://a" },
    problem: /^--redis-url: .*redis:\/\/host:6379/,
  },
  {
    name: "an unknown store",
    env: { ROOMCAST_STORE: "tape" },
    problem: /^ROOMCAST_STORE: .*"disk"\|"memory"/,
  },
  { name: "an empty data folder", given: { data: "" }, problem: /^--data: / },
  { name: "an empty host", given: { host: "" }, problem: /^--host: / },
  { name: "a wrong log level", env: { LOG_LEVEL: "loud" }, problem: /^LOG_LEVEL: .*"trace"/ },
  { name: "an unclear yes or no", env: { ROOMCAST_OPEN: "perhaps" }, problem: /^ROOMCAST_OPEN: / },
  { name: "a wrong pattern", content: { rooms: { "chat*": {} } }, problem: /rooms\.chat\*: a pattern is/ },
  {
    name: "a wrong age",
    content: { rooms: { "chat:*": { age: "soon" } } },
    problem: /rooms\.chat:\*\.age: .*"5m"/,
  },
  {
    name: "negative messages",
    content: { rooms: { "user:*": { messages: -1 } } },
    problem: /rooms\.user:\*\.messages: /,
  },
  {
    name: "an unknown option of a room",
    content: { rooms: { "a:*": { size: 1 } } },
    problem: /rooms\.a:\*: .*"size"/,
  },
  { name: "an unknown limit", content: { limits: { patience: 1 } }, problem: /limits: .*"patience"/ },
  { name: "a limit of 0", content: { limits: { dataBytes: 0 } }, problem: /limits\.dataBytes: / },
];

/** Puts the files' contents into one, with the rooms and limits of all. */
function together(parts: readonly Fault[]): Readonly<Record<string, unknown>> {
  const contents = parts.flatMap(({ content }) => content ?? []);
  const all = (key: string): object =>
    Object.assign({}, ...contents.map((content) => (content as Source)[key])) as object;
  return { ...Object.assign({}, ...contents), rooms: all("rooms"), limits: all("limits") };
}

describe("a wrong configuration", () => {
  test.each(faults)("names $name, and nothing else", ({ given = {}, env = {}, content = {}, problem }) => {
    const problems = problemsOf(given, env, fileWith(content));
    expect(problems).toEqual([expect.stringMatching(problem)]);
  });

  test("names every problem at once", () => {
    const given = Object.assign({}, ...faults.map((fault) => fault.given)) as Source;
    const env = Object.assign({}, ...faults.map((fault) => fault.env)) as Source;
    const problems = problemsOf(given, env, fileWith(together(faults)));
    expect(faults.length).toBeGreaterThanOrEqual(12);
    expect(problems).toHaveLength(faults.length);
    for (const { problem } of faults) expect(problems).toContainEqual(expect.stringMatching(problem));
    const { message } = new ConfigError(problems);
    for (const problem of problems) expect(message).toContain(`\n  - ${problem}`);
  });

  test.each([65_536, "65536", -1, "-1", 1.5, Number.NaN, "NaN", "", " ", "0x50", "1e3", null, [], true])(
    "refuses the port %j",
    (port) => {
      expect(problemsOf({ port })).toEqual([expect.stringMatching(/^--port: .*65535/)]);
    },
  );

  test.each(["x", "localhost:6379", "http://a", "//a", "", "redis://a,b"])(
    "refuses the Redis address %j",
    (redisUrl) => {
      expect(problemsOf({ redisUrl })).toHaveLength(1);
    },
  );

  test("does not repeat a Redis address, which may hold a password", () => {
    expect(problemsOf({ redisUrl: "http://:secret@a" }).join("\n")).not.toContain("secret");
  });

  test.each(["*", "a.example", "https://a.example/", "https://a.example/b", "https://A.example", "null"])(
    "refuses the origin %j",
    (origin) => {
      expect(problemsOf({ origins: [origin] })).toEqual([expect.stringMatching(/^--origins\.0: /)]);
      expect(problemsOf({}, { ROOMCAST_ORIGINS: `https://a.example,${origin}` })).toHaveLength(1);
    },
  );

  test.each(["*", "chat", "chat:", "Chat:*", "chat:*x", "chat:*:*", "9:*", "__proto__", ""])(
    "refuses the pattern %j",
    (pattern) => {
      const file = fileWith(`{ "rooms": { ${JSON.stringify(pattern)}: {} } }`);
      expect(problemsOf({}, {}, file)).toEqual([expect.stringContaining(`rooms.${pattern}: `)]);
    },
  );

  test.each(["", "5", "m", "5 m", "-5m", "0s", "1.5h", "5w", "9999999d"])("refuses the age %j", (age) => {
    expect(problemsOf({ rooms: { "chat:*": { age } } })).toEqual([
      expect.stringMatching(/^rooms\.chat:\*\.age: /),
    ]);
  });

  test.each([-1, 1.5, "5", null, 10_000_001])("refuses to keep %j messages", (messages) => {
    expect(problemsOf({ rooms: { "chat:*": { messages } } })).toEqual([
      expect.stringMatching(/^rooms\.chat:\*\.messages: /),
    ]);
  });

  test.each([0, -1, 1.5, "5", null, 2 ** 31])("refuses the limit %j", (limit) => {
    expect(problemsOf({ limits: { dataBytes: limit } })).toEqual([
      expect.stringMatching(/^limits\.dataBytes: /),
    ]);
  });

  test.each([null, [], "chat:*", 1])("refuses %j as rooms and as limits", (value) => {
    expect(problemsOf({}, {}, fileWith({ rooms: value, limits: value }))).toHaveLength(2);
  });

  test.each([
    ["is not there", (): string => join(folder, "none.json"), /none\.json: can't be read: ENOENT/],
    ["is a folder", (): string => folder, /: can't be read: EISDIR/],
    ["is no JSON", (): string => fileWith('{ "port": 1, }'), /\.json: can't be read: .*JSON/],
    ["is empty", (): string => fileWith(""), /\.json: can't be read: .*JSON/],
    ["is a list", (): string => fileWith([]), /\.json: can't be read: it is no JSON object/],
    ["is null", (): string => fileWith("null"), /\.json: can't be read: it is no JSON object/],
  ])("tells that the file %s, beside what else is wrong", (_what, file, problem) => {
    expect(problemsOf({ port: "x" }, {}, file())).toEqual([
      expect.stringMatching(problem),
      expect.stringMatching(/^--port: /),
    ]);
  });
});
