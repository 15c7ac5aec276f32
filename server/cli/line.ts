import type { Meta } from "../../shared/message.ts";

/** Colours and other looks of text; all else that a terminal obeys is shown, not done. */
const SAFE_SEQUENCE = /^\u001b\[[\d;]*m/;
/** Controls but tab, C1 controls, line separators, and what turns the direction of text. */
const UNSAFE = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const ALL_UNSAFE = new RegExp(UNSAFE, "g");

/** One line for a terminal: a log entry as `time LEVEL program  message`, a chat message as `time name: text`, else JSON. */
export function lineOf(event: string, data: unknown, meta: Meta): string {
  const fields = (typeof data === "object" && data !== null ? data : {}) as Readonly<Record<string, unknown>>;
  const { message, level, program, timestamp, text } = fields;
  if (event === "log" && typeof message === "string") {
    const time = typeof timestamp === "string" ? timestamp : timeOf(meta);
    return join(time, textOr(level, "INFO").padEnd(8), textOr(program, ""), message);
  }
  if (event === "message" && typeof text === "string")
    return join(timeOf(meta), `${meta.from?.name ?? "-"}:`, text);
  return join(timeOf(meta), event, JSON.stringify(data));
}

function join(...parts: readonly string[]): string {
  return parts
    .filter((part) => part !== "")
    .map(visible)
    .join("  ");
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

function timeOf({ time }: Meta): string {
  return new Date(time).toISOString();
}

/** One JSON value as one line: the same value, without anything that a terminal obeys. */
export function jsonLine(value: unknown): string {
  // Such characters stand in texts only, where JSON may write them by their number.
  return JSON.stringify(value).replaceAll(ALL_UNSAFE, numbered);
}

/** Text as a terminal may get it: with its colours, and all else that it would obey as `\uXXXX`. */
export function visible(text: string): string {
  let shown = "";
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i]!;
    const sequence = character === "\u001b" ? SAFE_SEQUENCE.exec(text.slice(i, i + 32))?.[0] : undefined;
    if (sequence !== undefined) {
      shown += sequence;
      i += sequence.length - 1;
    } else shown += UNSAFE.test(character) ? numbered(character) : character;
  }
  // A colour that a line leaves on would stain the next one.
  return shown.includes("\u001b[") ? `${shown}\u001b[0m` : shown;
}

function numbered(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
