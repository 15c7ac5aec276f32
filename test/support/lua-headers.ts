import type { SourceFile } from "./architecture.ts";

/**
 * Finds Redis scripts whose header does not say what they take and return. A header is the comment that opens the
 * file: a line for each `-- KEYS[1] name` and `-- ARGV[1] name`, `-- ARGV[9..] name` for a tail of any length,
 * `-- KEYS none` or `-- ARGV none` for no such thing, and `-- Returns …`.
 */
export function luaHeaderViolations(files: readonly SourceFile[]): string[] {
  const scripts = files.filter(({ path }) => path.startsWith("server/") && path.endsWith(".lua"));
  return scripts.flatMap(({ path, text }) => {
    const header = /^(?:--[^\n]*\n)*/.exec(text)?.[0] ?? "";
    const code = text.slice(header.length).replaceAll(/--\[\[[\s\S]*?\]\]|--[^\n]*/g, "");
    const missing = /^-- Returns \S/m.test(header) ? [] : [`${path}: the header has no line "-- Returns …"`];
    const wrong = (["KEYS", "ARGV"] as const).flatMap((list) => compare(list, header, code));
    return [...missing, ...wrong.map((problem) => `${path}: ${problem}`)];
  });
}

function compare(list: "KEYS" | "ARGV", header: string, code: string): string[] {
  const lines = [...header.matchAll(new RegExp(`^-- ${list}\\[(\\d+)(\\.\\.)?\\] \\S`, "gm"))];
  const documented = lines.map((match) => Number(match[1]));
  const hasTail = lines.some((match) => match[2] !== undefined);
  if (documented.length === 0 && !new RegExp(`^-- ${list} none$`, "m").test(header)) {
    return [`the header has neither "-- ${list}[1] name" nor "-- ${list} none"`];
  }
  if (documented.some((index, at) => index !== at + 1)) {
    return [`the header numbers ${list} ${documented.join(", ")}, which is not 1, 2, 3 …`];
  }
  const used = Math.max(
    0,
    ...[...code.matchAll(new RegExp(`\\b${list}\\[(\\d+)\\]`, "g"))].map((match) => Number(match[1])),
  );
  // A tail is read by a loop, not by number, so the code need not name it.
  const least = hasTail ? documented.length - 1 : documented.length;
  if (used < least)
    return [`the header documents ${list}[${least}], the code uses no more than ${list}[${used}]`];
  if (used > documented.length && !hasTail)
    return [`the code uses ${list}[${used}], which the header does not have`];
  return [];
}
