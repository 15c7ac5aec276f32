/** The levels of a log entry, as they stand in it. */
export type Level = "FATAL" | "ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE";

const NAMES: Readonly<Record<Level, string>> = {
  FATAL: "fatal severe sev critical crit emergency emerg alert panic",
  ERROR: "error err eror",
  WARN: "warning warn wrn",
  INFO: "information info inf notice",
  DEBUG: "debug dbg dbug",
  TRACE: "trace verbose ver vbs",
};
const LEVELS: ReadonlyMap<string, Level> = new Map(
  Object.entries(NAMES).flatMap(([level, names]) => names.split(" ").map((name) => [name, level as Level])),
);
const LETTERS: Readonly<Record<string, Level>> = {
  F: "FATAL",
  E: "ERROR",
  W: "WARN",
  I: "INFO",
  D: "DEBUG",
  T: "TRACE",
  V: "TRACE",
};

/** In any case, and in capitals only: `Error handling is on` tells of no error, `ERROR handling x` does. */
const ANY = [...LEVELS.keys()].join("|");
const LOUD = ANY.toUpperCase();

/**
 * Where a level may stand, the surest place first. Two different levels in the first place that has any mean that the
 * line is about levels, and has none.
 */
const PLACES: readonly RegExp[] = [
  new RegExp(String.raw`\b(?:log\.?level|level|lvl|severity)\s?[=:]\s?["']?(${ANY})\b`, "gi"),
  new RegExp(String.raw`[[<(]\s?(${ANY})\s{0,4}[\])>]`, "gi"),
  /\[([FEWIDTV])\]/g,
  new RegExp(String.raw`(?:^|[\s[(])[\w.$-]+:(${ANY})(?=[\s\])]|$)`, "gi"),
  new RegExp(`"(${LOUD})"`, "g"),
  new RegExp(String.raw`\s(${ANY}):`, "gi"),
  new RegExp(String.raw`(?:^|[\s|])(${LOUD})(?=[\s|!]|$)`, "g"),
];
const PREFIXES: readonly RegExp[] = [
  new RegExp(`^(${LOUD})(?![A-Z0-9a-z_])`),
  new RegExp(String.raw`^(${ANY})(?=\s{0,8}[:|]|\s{1,8}-\s|$)`, "i"),
  // klog, then Android's.
  /^([FEWID])\d{4} \d\d:\d\d:\d\d/,
  /^([FEWIDV])\/[\w.-]+(?:\(\s*\d+\))?:/,
];
const FAILURES: readonly RegExp[] = [
  /^(?:Uncaught |Unhandled )?[\w.$]*(?:Error|Exception)(?::| \[|$)/,
  /^Traceback \(most recent call last\)/,
  /^Exception in thread /,
];

const TIMES: readonly RegExp[] = [
  /^[[(]?\d{4}[-/.]\d\d[-/.]\d\d(?:[T ,_]\s?\d\d:\d\d(?::\d\d(?:[.,:]\d{1,9})?)?)?\s?(?:Z|UTC|[+-]\d\d:?\d\d)?[\])]?[\s|:-]*/,
  /^[[(]?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?[\])]?[\s|:-]*/,
  /^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?:\S+ [\w./-]+(?:\[\d+\])?: )?/,
  /^\d{10}(?:\d{3})?(?:\.\d{1,9})?\s+/,
];
const ANSI = /\u001b(?:\[[\d;:?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

const JSON_KEYS = ["@l", "level", "log.level", "severity", "lvl", "loglevel", "levelname"];
/** A level stands at the beginning of a line if anywhere, and lines may be long. */
const LOOKED_AT = 400;

/** Finds the level that a line of text tells, colours aside; INFO if it tells none. */
export function levelOf(line: string): Level {
  const json = line.startsWith("{") && line.endsWith("}") ? levelInJson(line) : undefined;
  if (json !== undefined) return json;
  const text = line
    .slice(0, LOOKED_AT * 2)
    .replaceAll(ANSI, "")
    .slice(0, LOOKED_AT)
    .trim();
  return atBeginning(text) ?? within(text) ?? "INFO";
}

function atBeginning(line: string): Level | undefined {
  const priority = /^<([0-7])>/.exec(line);
  if (priority !== null) return bySeverity(Number(priority[1]));
  const time = TIMES.map((pattern) => pattern.exec(line)?.[0]).find((found) => found !== undefined) ?? "";
  const text = line.slice(time.length);
  for (const pattern of PREFIXES) {
    const found = pattern.exec(text);
    if (found !== null) return named(found[1]!);
  }
  return FAILURES.some((pattern) => pattern.test(text)) ? "ERROR" : undefined;
}

function within(text: string): Level | undefined {
  for (const place of PLACES) {
    const levels = new Set([...text.matchAll(place)].map(([, name]) => named(name!)));
    if (levels.size > 0) return levels.size === 1 ? [...levels][0] : undefined;
  }
  return undefined;
}

function named(name: string): Level | undefined {
  return name.length === 1 ? LETTERS[name] : LEVELS.get(name.toLowerCase());
}

/** Undefined for what is no JSON; what a JSON line merely mentions is no level. */
function levelInJson(line: string): Level | undefined {
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
  const { log } = fields;
  const nested = typeof log === "object" && log !== null && "level" in log ? [log.level] : [];
  for (const value of [...JSON_KEYS.map((key) => fields[key]), ...nested]) {
    const level = typeof value === "number" ? byNumber(value) : named(String(value).trim());
    if (level !== undefined) return level;
  }
  return "INFO";
}

/** The numbers of pino and bunyan begin at 10, those of syslog end at 7. */
function byNumber(number: number): Level | undefined {
  if (number < 10) return bySeverity(number);
  const steps: readonly Level[] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
  return steps[Math.min(Math.floor(number / 10), steps.length) - 1];
}

/** RFC 5424, section 6.2.1. */
function bySeverity(severity: number): Level | undefined {
  const steps: readonly Level[] = ["FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG"];
  return steps[severity];
}
