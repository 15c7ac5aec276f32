import type { VNode } from "preact";
import { memo } from "./memo.ts";
import { piecesOf } from "../model/ansi.ts";
import type { LogFilter } from "../model/log-filter.ts";
import type { LogRow } from "../model/log-row.ts";
import { markPieces } from "../model/mark-pieces.ts";
import { logTime, type TimeStyle } from "../model/times.ts";

interface LogRowProps {
  readonly row: LogRow;
  readonly times: TimeStyle;
  /** For relative times; else 0, so that rows need not be drawn again. */
  readonly now: number;
  readonly filter: LogFilter;
  readonly isSelected: boolean;
  readonly onSelect: (offset: number | undefined) => void;
}

/** One row of a log. */
export const LogRowView = memo(({ row, times, now, filter, isSelected, onSelect }: LogRowProps): VNode => {
  const { key, kind, place, time, level, levelText, program, isStderr } = row;
  if (kind !== "line") {
    return (
      <div class={`log-row ${kind}-row level-${level}`} data-key={key} data-offset={place?.offset}>
        <span class="row-time">{logTime(time, times, now)}</span>
        <span class="row-note">{row.plain}</span>
      </div>
    );
  }
  return (
    <div
      class={`log-row level-${level}${isSelected ? " selected" : ""}`}
      data-key={key}
      data-offset={place?.offset}
    >
      <a
        class="row-time"
        href={`#${place?.offset ?? ""}`}
        tabIndex={-1}
        title={`Line ${place?.offset ?? ""}, ${new Date(time).toISOString()}`}
        onClick={(event) => {
          event.preventDefault();
          onSelect(isSelected ? undefined : place?.offset);
        }}
      >
        {logTime(time, times, now)}
      </a>
      <span class="row-level">{levelText.slice(0, 5).toUpperCase()}</span>
      <span class="row-program" title={program}>
        {program}
        {isStderr && <span class="row-stderr">err</span>}
      </span>
      <span class="row-text">
        {markPieces(piecesOf(row.text), filter.marks(row.plain)).map(({ text, classes, isMarked }, index) => {
          if (isMarked) {
            return (
              <mark key={index} class={classes}>
                {text}
              </mark>
            );
          }
          return classes === "" ? (
            text
          ) : (
            <span key={index} class={classes}>
              {text}
            </span>
          );
        })}
      </span>
    </div>
  );
});
