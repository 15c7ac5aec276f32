import type { Gap } from "../../../shared/protocol.ts";
import { stripControls } from "./ansi.ts";
import { gapText } from "./gap-text.ts";

export const LEVELS = ["error", "warn", "info", "debug", "other"] as const;
/** What a line's level counts as. */
export type Level = (typeof LEVELS)[number];

/** One row of a log. */
export interface LogRow {
  /** Grows from row to row; older rows that are fetched later have smaller ones. */
  readonly key: number;
  readonly kind: "line" | "exit" | "gap";
  /** Where it stands in the room's log; a gap stands nowhere. */
  readonly place?: { readonly epoch: string; readonly offset: number; readonly id: string };
  /** Unix milliseconds. */
  readonly time: number;
  readonly level: Level;
  /** The level as its sender wrote it. */
  readonly levelText: string;
  readonly program: string;
  readonly isStderr: boolean;
  /** With its colours. */
  readonly text: string;
  /** Without: what filters and copies see. */
  readonly plain: string;
}

/** A kept message, however it came. */
export interface Arrival {
  readonly event: string;
  readonly data: unknown;
  readonly meta: {
    readonly id: string;
    readonly epoch?: string;
    readonly offset?: number;
    readonly time: number;
  };
}

const LEVEL_NAMES: Readonly<Record<string, Level>> = {
  fatal: "error",
  critical: "error",
  crit: "error",
  alert: "error",
  emergency: "error",
  emerg: "error",
  error: "error",
  err: "error",
  severe: "error",
  warning: "warn",
  warn: "warn",
  notice: "info",
  info: "info",
  information: "info",
  debug: "debug",
  trace: "debug",
  verbose: "debug",
};

/** What a level counts as, whatever its sender calls it. */
export function levelOf(name: string): Level {
  const key = name.trim().toLowerCase();
  return Object.hasOwn(LEVEL_NAMES, key) ? LEVEL_NAMES[key]! : "other";
}

/** Makes the row of a message; whatever it holds, there is a row for it. */
export function rowOf(key: number, { event, data, meta }: Arrival): LogRow {
  const fields = (typeof data === "object" && data !== null ? data : {}) as Readonly<Record<string, unknown>>;
  const { epoch, offset, id } = meta;
  const written = typeof fields["timestamp"] === "string" ? Date.parse(fields["timestamp"]) : Number.NaN;
  const levelText = textOf(fields["level"]);
  const isExit = event === "exit";
  const text = isExit ? exitText(fields) : event === "log" ? logText(data, fields) : otherText(event, data);
  return {
    key,
    kind: isExit ? "exit" : "line",
    ...(epoch !== undefined && offset !== undefined && { place: { epoch, offset, id } }),
    time: Number.isNaN(written) ? meta.time : written,
    level: isExit ? exitLevel(fields) : levelOf(levelText),
    levelText,
    program: textOf(fields["program"]),
    isStderr: fields["source"] === "stderr",
    text,
    plain: stripControls(text),
  };
}

/** Makes the row that says that messages are missing. */
export function gapRow(key: number, gap: Gap, time: number): LogRow {
  const text = gapText(gap);
  const nobody = { levelText: "", program: "", isStderr: false };
  return { key, kind: "gap", time, level: "warn", ...nobody, text, plain: text };
}

function exitText(fields: Readonly<Record<string, unknown>>): string {
  const { code, signal } = fields;
  const program = textOf(fields["program"]) || "the program";
  if (typeof signal === "string" && signal !== "") return `${program} was ended by ${signal}`;
  return typeof code === "number" ? `${program} ended with exit code ${code}` : `${program} ended`;
}

function exitLevel({ code }: Readonly<Record<string, unknown>>): Level {
  return code === 0 ? "info" : "error";
}

function logText(data: unknown, { message }: Readonly<Record<string, unknown>>): string {
  return typeof message === "string" ? message : JSON.stringify(data);
}

function otherText(event: string, data: unknown): string {
  return `${event} ${JSON.stringify(data)}`;
}

function textOf(field: unknown): string {
  return typeof field === "string" ? field : "";
}
