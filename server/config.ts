import { readFileSync } from "node:fs";
import { z } from "zod";
import { DEFAULT_LIMITS, type Limits } from "../shared/limits.ts";
import { DEFAULT_ROOM_OPTIONS, type RoomOptionsTable } from "../shared/room-options.ts";
import { DIALECT_NAMES, type DialectName } from "./bridge/dialects.ts";
import { checkedLimits, checkedPort, checkedRooms } from "./config-values.ts";
import type { Durability } from "./stores/disk/database.ts";
import { areAddresses } from "./stores/redis/addresses.ts";

/** Everything that can be set about a hub. */
export interface Config {
  readonly port: number;
  readonly host: string;
  readonly redisUrl: string | undefined;
  readonly bridge: readonly DialectName[];
  readonly store: StoreKind;
  readonly data: string;
  readonly durability: Durability;
  readonly origins: readonly string[];
  readonly open: boolean;
  readonly fastPath: boolean;
  readonly logLevel: LogLevel;
  readonly rooms: RoomOptionsTable;
  readonly limits: Limits;
}

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const STORES = ["disk", "memory"] as const;
/** Where a hub without Redis keeps its log. */
export type StoreKind = (typeof STORES)[number];

const DURABILITIES = ["synced", "written"] as const satisfies readonly Durability[];

/** One option: where it is read from, what it means, and its check. */
export interface Option {
  readonly key: keyof Config;
  readonly env?: string;
  /** As the command line shows it. */
  readonly flag?: string;
  readonly doc: string;
  readonly schema: z.ZodType;
  readonly default: Config[keyof Config];
}

const flagged = z.union([
  z.boolean(),
  z.enum(["1", "true", "yes"]).transform(() => true),
  z.enum(["0", "false", "no"]).transform(() => false),
]);

const origin = z
  .string()
  .refine(
    (text) => URL.canParse(text) && new URL(text).origin === text,
    "an origin is written as https://app.example.com",
  );

/** A list, or a text with commas between its items. */
function listOf(item: z.ZodType<unknown, string>): z.ZodType {
  const separated = z.string().transform((text) => text.split(/[\s,]+/).filter(Boolean));
  return z.union([z.array(item), separated.pipe(z.array(item))]);
}

const redisUrl = z
  .string()
  .refine(
    (text) => /^\s*rediss?:/.test(text) && areAddresses(text),
    "a Redis address is written as redis://host:6379; of a cluster there may be several, separated by commas",
  );

/** Every option, once; the command line, the environment, the file and `createHub` all read this table. */
export const OPTIONS: readonly Option[] = [
  {
    key: "port",
    env: "PORT",
    flag: "--port <number>",
    doc: "port to listen on; 0 takes a free one",
    schema: z.unknown().transform(checkedPort),
    default: 3_000,
  },
  {
    key: "host",
    env: "HOST",
    flag: "--host <address>",
    doc: "address to listen on",
    schema: z.string().min(1).max(255),
    default: "127.0.0.1",
  },
  {
    key: "redisUrl",
    env: "REDIS_URL",
    flag: "--redis-url <url>",
    doc: "Redis, or members of a Redis Cluster separated by commas: makes this process one node of many; without it the log is in the data folder",
    schema: redisUrl,
    default: undefined,
  },
  {
    key: "bridge",
    env: "ROOMCAST_BRIDGE",
    flag: "--bridge <list>",
    doc: `with Redis: append what other systems publish into it, any of ${DIALECT_NAMES.join(", ")}`,
    schema: listOf(z.enum(DIALECT_NAMES)),
    default: [],
  },
  {
    key: "store",
    env: "ROOMCAST_STORE",
    flag: "--store <kind>",
    doc: "without Redis: disk, or memory for a log that ends with the process",
    schema: z.enum(STORES),
    default: "disk",
  },
  {
    key: "data",
    env: "ROOMCAST_DATA",
    flag: "--data <folder>",
    doc: "folder of the log, for one process at a time",
    schema: z.string().min(1),
    default: "./data",
  },
  {
    key: "durability",
    env: "ROOMCAST_DURABILITY",
    flag: "--durability <when>",
    doc: "a message is acknowledged when it is synced to disk, or as soon as it is written",
    schema: z.enum(DURABILITIES),
    default: "synced",
  },
  {
    key: "origins",
    env: "ROOMCAST_ORIGINS",
    flag: "--origins <list>",
    doc: "pages that may use the hub beside its own, separated by commas",
    schema: listOf(origin),
    default: [],
  },
  {
    key: "open",
    env: "ROOMCAST_OPEN",
    flag: "--open",
    doc: "everyone who reaches the address may read and write",
    schema: flagged,
    default: false,
  },
  {
    key: "fastPath",
    env: "ROOMCAST_FAST_PATH",
    flag: "--fast-path <yes|no>",
    doc: "join what a room gets at once into one write for each connection, yes unless told otherwise",
    schema: flagged,
    default: true,
  },
  {
    key: "logLevel",
    env: "LOG_LEVEL",
    flag: "--log-level <level>",
    doc: `what is logged: ${LOG_LEVELS.join(", ")}`,
    schema: z.enum(LOG_LEVELS),
    default: "info",
  },
  {
    key: "rooms",
    doc: 'what is kept, by pattern: { "chat:*": { "messages": 1000, "age": "30d" } }',
    schema: z.unknown().transform(checkedRooms),
    default: DEFAULT_ROOM_OPTIONS,
  },
  {
    key: "limits",
    doc: 'any of the limits, by name: { "messagesPerSecond": 50 }',
    schema: z.unknown().transform(checkedLimits),
    default: DEFAULT_LIMITS,
  },
];

/** What each source says, by option key; the first that says something counts. */
export type Source = Readonly<Partial<Record<string, unknown>>>;

/** Lists everything that is wrong with a configuration, not only the first. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the configuration is wrong:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/**
 * Puts a configuration together: flag (or `createHub` option) beats environment beats file beats default.
 *
 * @param given by option key
 * @param env the environment's variables
 * @param file path of a JSON file with option keys
 * @throws ConfigError with every problem
 */
export function loadConfig(given: Source, env: Source = {}, file?: string): Config {
  const problems: string[] = [];
  problems.push(...unknownKeys(given));
  const fromFile = file === undefined ? {} : readFile(file, problems);
  const config: Record<string, unknown> = {};
  for (const option of OPTIONS) {
    const found = [
      { from: option.flag?.split(" ")[0] ?? option.key, value: given[option.key] },
      {
        from: option.env ?? "",
        value: option.env === undefined || env[option.env] === "" ? undefined : env[option.env],
      },
      { from: `${file}: ${option.key}`, value: fromFile[option.key] },
    ].find(({ value }) => value !== undefined);
    if (found === undefined) config[option.key] = option.default;
    else {
      const result = option.schema.safeParse(found.value);
      if (result.success) config[option.key] = result.data;
      else
        problems.push(
          ...result.error.issues.map(
            (issue) => `${[found.from, ...issue.path].join(".")}: ${issue.message} (${option.doc})`,
          ),
        );
    }
  }
  const { bridge, redisUrl: redis } = config as Partial<Config>;
  if (bridge !== undefined && bridge.length > 0 && redis === undefined)
    problems.push("bridge: it takes what is published into Redis, so it needs redisUrl (REDIS_URL)");
  if (problems.length > 0) throw new ConfigError(problems);
  return config as unknown as Config;
}

function readFile(path: string, problems: string[]): Source {
  try {
    const content: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof content !== "object" || content === null || Array.isArray(content))
      throw new Error("it is no JSON object");
    problems.push(...unknownKeys(content as Source).map((problem) => `${path}: ${problem}`));
    return content as Source;
  } catch (error) {
    problems.push(`${path}: can't be read: ${(error as Error).message}`);
    return {};
  }
}

function unknownKeys(source: Source): string[] {
  const known = OPTIONS.map(({ key }) => key);
  return Object.keys(source)
    .filter((key) => source[key] !== undefined && !known.some((name) => name === key))
    .map((key) => `${key}: no such option (there are ${known.join(", ")})`);
}
