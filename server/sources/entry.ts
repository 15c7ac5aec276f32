import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { utf8Length } from "../../shared/utf8.ts";
import { levelOf, type Level } from "./level.ts";

/** The data of a `log` event. */
export interface LogData {
  readonly message: string;
  readonly level: Level;
  readonly program: string;
  /** When the line came, in ISO 8601. */
  readonly timestamp: string;
  /** An output of a program, or a file. */
  readonly source?: string;
}

/** The data of an `exit` event: how a program ended. */
export interface ExitData {
  readonly program: string;
  readonly code: number | null;
  readonly signal: string | null;
}

/** What a source tells of a line. */
export interface Origin {
  readonly program: string;
  readonly source?: string;
}

/** A line as far as it was kept, and how long it was. */
interface Text {
  readonly text: string;
  readonly bytes: number;
  readonly isCut?: boolean;
}

/** More of a line than this is in no entry; as JSON it only gets longer. */
export const MAX_LINE_BYTES: number = DEFAULT_LIMITS.dataBytes;

/** Makes a log entry of a line; one that is over 64 KiB as JSON is cut, and says so at its end. */
export function logData(line: Text, { program, source }: Origin, at: number): LogData {
  const rest = {
    level: levelOf(line.text),
    program,
    timestamp: new Date(at).toISOString(),
    ...(source === undefined ? {} : { source }),
  };
  const frame = utf8Length(JSON.stringify({ message: "", ...rest }));
  return { message: fit(line, MAX_LINE_BYTES - frame), ...rest };
}

function fit({ text, bytes, isCut = false }: Text, room: number): string {
  // No UTF-16 unit takes more than 6 bytes as JSON.
  if (!isCut && (text.length * 6 <= room || lengthWithin(text, room) === text.length)) return text;
  const marker = ` … [cut, ${bytes} bytes]`;
  return text.slice(0, lengthWithin(text, room - utf8Length(marker))) + marker;
}

/** How much of a text takes no more than so many bytes as JSON. */
function lengthWithin(text: string, bytes: number): number {
  let left = bytes;
  for (let i = 0; i < text.length;) {
    const code = text.codePointAt(i)!;
    left -= jsonBytes(code);
    if (left < 0) return i;
    i += code > 0xffff ? 2 : 1;
  }
  return text.length;
}

function jsonBytes(code: number): number {
  if (code === 0x22 || code === 0x5c) return 2;
  if (code < 0x20) return (code >= 8 && code <= 10) || code === 12 || code === 13 ? 2 : 6;
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  // Half a pair is written by its number.
  if (code >= 0xd800 && code <= 0xdfff) return 6;
  return code > 0xffff ? 4 : 3;
}
