import type { LogRow } from "./log-row.ts";

/** A row as text, for copies and downloads. */
export function rowText({ time, levelText, program, plain, kind }: LogRow): string {
  const when = Number.isNaN(time) ? "" : new Date(time).toISOString();
  const head = kind === "line" ? [when, levelText, program] : [when, `[${kind}]`];
  return [...head, plain].filter((part) => part !== "").join(" ");
}

/** Rows as the text of a file. */
export function fileText(rows: readonly LogRow[]): string {
  return rows.map((row) => `${rowText(row)}\n`).join("");
}
