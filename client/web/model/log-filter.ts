import { LEVELS, type Level, type LogRow } from "./log-row.ts";

/** What the reader wants to see of a log. */
export interface LogQuery {
  readonly text: string;
  readonly isRegex: boolean;
  /** Hides what does not match; else matches are only marked. */
  readonly hidesOthers: boolean;
  readonly levels: ReadonlySet<Level>;
}

export const EVERYTHING: LogQuery = { text: "", isRegex: false, hidesOthers: true, levels: new Set(LEVELS) };

export interface LogFilter {
  /** Whether a row is to be seen. What is no line always is. */
  shows(row: LogRow): boolean;
  /** What matches in a line, as [from, to) of its plain text. */
  marks(plain: string): readonly (readonly [number, number])[];
  /** Why the regular expression is none; the filter then lets all text through. */
  readonly problem: string | undefined;
}

/** A line has so many marks at most. */
const MOST_MARKS = 200;

/** Makes the filter of a query. Without capitals in the text it takes both cases. */
export function compileFilter({ text, isRegex, hidesOthers, levels }: LogQuery): LogFilter {
  const { pattern, problem } = patternOf(text, isRegex);
  const allLevels = levels.size === LEVELS.length;
  return {
    problem,
    shows(row) {
      if (row.kind !== "line") return true;
      if (!allLevels && !levels.has(row.level)) return false;
      if (pattern === undefined || !hidesOthers) return true;
      pattern.lastIndex = 0;
      return pattern.test(row.plain);
    },
    marks(plain) {
      const marks: (readonly [number, number])[] = [];
      if (pattern === undefined) return marks;
      for (const match of plain.matchAll(pattern)) {
        if (match[0] !== "") marks.push([match.index, match.index + match[0].length]);
        if (marks.length === MOST_MARKS) break;
      }
      return marks;
    },
  };
}

function patternOf(text: string, isRegex: boolean): { pattern?: RegExp; problem: string | undefined } {
  if (text === "") return { problem: undefined };
  const flags = /\p{Lu}/u.test(isRegex ? text.replaceAll(/\\./g, "") : text) ? "gu" : "giu";
  const source = isRegex ? text : text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
  try {
    return { pattern: new RegExp(source, flags), problem: undefined };
  } catch (error) {
    return { problem: `No valid regular expression: ${(error as Error).message.replace(/^.*: /s, "")}` };
  }
}
