import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { LogModel } from "../model/log-model.ts";
import { LEVELS, type Level } from "../model/log-row.ts";
import { fileText } from "../model/log-text.ts";
import { TIME_STYLES, type TimeStyle } from "../model/times.ts";
import type { LogLook } from "../model/log-look.ts";

interface ToolbarProps {
  readonly model: LogModel;
  /** Names the file that is downloaded. */
  readonly name: string;
  readonly look: LogLook;
  readonly onLook: (look: LogLook) => void;
}

const LEVEL_WORDS = {
  error: "Error",
  warn: "Warn",
  info: "Info",
  debug: "Debug",
  other: "Other",
} as const satisfies Record<Level, string>;
const TIME_WORDS = { local: "Local time", utc: "UTC", relative: "Relative" } as const satisfies Record<
  TimeStyle,
  string
>;

/** What the reader wants to see of a log, and how. */
export function LogToolbar({ model, name, look, onLook }: ToolbarProps): VNode {
  const { query, filter } = model;
  const [open, setOpen] = useState(false);
  const toggleLevel = (level: Level): void => {
    const levels = new Set(query.levels);
    if (!levels.delete(level)) levels.add(level);
    model.setQuery({ ...query, levels });
  };
  return (
    <div class={`toolbar ${open ? "toolbar-open" : ""}`} role="toolbar" aria-label="Log">
      <div class="search">
        <label class="unseen" for="search">
          Search
        </label>
        <input
          id="search"
          class="field"
          type="search"
          placeholder={query.isRegex ? "Regular expression" : "Search"}
          value={query.text}
          spellcheck={false}
          autocomplete="off"
          autocapitalize="none"
          aria-invalid={filter.problem !== undefined}
          aria-describedby={filter.problem && "search-problem"}
          onInput={(event) => model.setQuery({ ...query, text: event.currentTarget.value })}
          onKeyDown={(event) => event.key === "Escape" && model.setQuery({ ...query, text: "" })}
        />
        <button
          type="button"
          class="choice"
          aria-pressed={query.isRegex}
          aria-label="Regular expression"
          title="Regular expression"
          onClick={() => model.setQuery({ ...query, isRegex: !query.isRegex })}
        >
          .*
        </button>
        <button
          type="button"
          class="choice"
          aria-pressed={query.hidesOthers}
          title="Hide the lines that do not match; otherwise matches are only marked"
          onClick={() => model.setQuery({ ...query, hidesOthers: !query.hidesOthers })}
        >
          Filter
        </button>
      </div>
      <button type="button" class="choice toolbar-more" aria-expanded={open} onClick={() => setOpen(!open)}>
        View
      </button>
      <div class="toolbar-rest">
        <div class="choices" role="group" aria-label="Levels">
          {LEVELS.map((level) => (
            <button
              type="button"
              key={level}
              class={`choice level-choice level-${level}`}
              aria-pressed={query.levels.has(level)}
              onClick={() => toggleLevel(level)}
            >
              {LEVEL_WORDS[level]}
            </button>
          ))}
        </div>
        <div class="choices">
          <button
            type="button"
            class="choice"
            aria-pressed={look.wraps}
            onClick={() => onLook({ ...look, wraps: !look.wraps })}
          >
            Wrap
          </button>
          <label class="unseen" for="times">
            Times
          </label>
          <select
            id="times"
            class="choice"
            value={look.times}
            onChange={(event) => onLook({ ...look, times: event.currentTarget.value as TimeStyle })}
          >
            {TIME_STYLES.map((style) => (
              <option key={style} value={style}>
                {TIME_WORDS[style]}
              </option>
            ))}
          </select>
          <button
            type="button"
            class="choice"
            title="Download the lines that are shown"
            onClick={() => download(`${name}.log`, fileText(model.shown))}
          >
            Download
          </button>
        </div>
      </div>
      {filter.problem !== undefined && (
        <p id="search-problem" class="problem search-problem" role="alert">
          {filter.problem}
        </p>
      )}
    </div>
  );
}

function download(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  link.download = name.replaceAll(/[^\p{L}\p{Nd}._-]/gu, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
