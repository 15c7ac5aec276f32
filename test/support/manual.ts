/** One JSON block of the manual; the comment above it names its check. */
export interface Block {
  readonly check: string;
  readonly line: number;
  readonly value: unknown;
}

const JSON_LANGUAGES = new Set(["json", "ndjson"]);
/** A block in any other language holds no JSON, and none may have no language. */
const OTHER_LANGUAGES = new Set(["js", "text"]);
const FENCE = /^\s*(?:`{3,}|~{3,})\s*(\S*)/;

/**
 * Finds the JSON blocks of a manual.
 *
 * @throws Error for a block without a check, of an unknown language, or that is no JSON
 */
export function blocksOf(manual: string): Block[] {
  const lines = manual.split("\n");
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i += 1) {
    const language = FENCE.exec(lines[i]!)?.[1];
    if (language === undefined) continue;
    const line = i + 1;
    const end = lines.findIndex((text, at) => at > i && FENCE.exec(text)?.[1] === "");
    if (end < 0) throw new Error(`line ${line}: the block has no end`);
    if (JSON_LANGUAGES.has(language)) {
      const check = /^<!-- check: (.+) -->$/.exec(lines[i - 1] ?? "")?.[1];
      if (check === undefined) throw new Error(`line ${line}: the block names no check`);
      blocks.push({ check, line, value: valueOf(language, lines.slice(i + 1, end).join("\n"), line) });
    } else if (!OTHER_LANGUAGES.has(language)) {
      throw new Error(`line ${line}: a block in the language "${language}" can't be checked`);
    }
    i = end;
  }
  return blocks;
}

/** Lines are kept as text: one of them may be no JSON on purpose. */
function valueOf(language: string, text: string, line: number): unknown {
  if (language === "ndjson") return text.split("\n");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`line ${line}: ${String(error)}`, { cause: error });
  }
}

/**
 * Gives the rows of the table whose header begins with this cell, each as its cells without backticks.
 *
 * @throws Error if there is no such table
 */
export function tableOf(manual: string, firstHeader: string): string[][] {
  const lines = manual.split("\n");
  const header = lines.findIndex((line) => line.startsWith(`| ${firstHeader} |`));
  if (header < 0) throw new Error(`there is no table of ${firstHeader}`);
  const rows = lines.slice(header + 2);
  const end = rows.findIndex((line) => !line.startsWith("|"));
  return rows.slice(0, end).map((row) =>
    row
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}

/** What no two runs have alike; only its type is compared. */
const VARYING = new Set(["time", "joinedAt", "user", "timestamp", "delayMs", "retryAfterMs"]);

/** An id that the hub has made. */
const MADE_ID = /^[\w-]{16}$/;

/**
 * Compares what the hub gave with what the manual shows: the same keys and types, and the same values but for those
 * that vary, for ids that the hub made, and for the texts of errors.
 *
 * @returns what differs, each with its path
 */
export function differences(shown: unknown, given: unknown, path = "$"): string[] {
  if (Array.isArray(shown) && Array.isArray(given)) {
    if (shown.length !== given.length) return [`${path}: ${shown.length} items, not ${given.length}`];
    return shown.flatMap((item, i) => differences(item, given[i], `${path}[${i}]`));
  }
  if (isObject(shown) && isObject(given)) {
    const keys = [...new Set([...Object.keys(shown), ...Object.keys(given)])];
    return keys.flatMap((key) => {
      const at = `${path}.${key}`;
      if (!(key in shown)) return [`${at}: the manual lacks it`];
      if (!(key in given)) return [`${at}: the hub does not give it`];
      const isText = "code" in shown && (key === "message" || key === "reason");
      const isMade = key === "id" && MADE_ID.test(String(shown[key])) && MADE_ID.test(String(given[key]));
      const varies = isText || isMade || VARYING.has(key);
      return varies && typeof shown[key] === typeof given[key] ? [] : differences(shown[key], given[key], at);
    });
  }
  return Object.is(shown, given)
    ? []
    : [`${path}: ${JSON.stringify(shown)} in the manual, ${JSON.stringify(given)} given`];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
