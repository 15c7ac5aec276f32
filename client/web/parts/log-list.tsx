import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useReducer, useRef } from "preact/hooks";
import type { LogModel } from "../model/log-model.ts";
import { rowText } from "../model/log-text.ts";
import type { LogLook } from "../model/log-look.ts";
import { LogRowView } from "./log-row.tsx";
import { LogScroll } from "./log-scroll.ts";
import { copyText } from "./copy-button.tsx";

interface LogListProps {
  readonly model: LogModel;
  readonly look: LogLook;
  /** The offset of the row that is marked. */
  readonly selected: number | undefined;
  readonly onSelect: (offset: number | undefined) => void;
  readonly onOlder: () => Promise<void>;
}

const CLOCK_MS = 1_000;

/** The rows of a log, of which only those in sight are drawn. */
export function LogList({ model, look, selected, onSelect, onOlder }: LogListProps): VNode {
  const scroller = useRef<HTMLDivElement>(null);
  const block = useRef<HTMLDivElement>(null);
  const [, draw] = useReducer((count: number) => count + 1, 0);
  const scroll = (useRef<LogScroll | undefined>(undefined).current ??= new LogScroll(
    model,
    () => draw(undefined),
    onOlder,
  ));
  const sought = useRef(selected);

  scroll.setRows(model.shown);
  const [from, to] = scroll.range();

  useLayoutEffect(() => {
    const list = scroller.current!;
    const resized = new ResizeObserver(() => scroll.resize());
    scroll.attach(list);
    resized.observe(list);
    return () => resized.disconnect();
  }, []);
  useLayoutEffect(() => scroll.reset(), [look.wraps]);
  useLayoutEffect(() => {
    scroll.measure(block.current!);
    scroll.settle();
    if (sought.current !== undefined && scroll.show(sought.current)) sought.current = undefined;
  });
  useEffect(() => {
    sought.current = selected;
    if (selected !== undefined && scroll.show(selected)) sought.current = undefined;
  }, [selected]);
  useEffect(() => {
    if (look.times !== "relative") return undefined;
    const clock = setInterval(() => draw(undefined), CLOCK_MS);
    return () => clearInterval(clock);
  }, [look.times]);

  const keyed = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = scroll.rowOf(selected);
    if (event.key === "Escape" && selected !== undefined) onSelect(undefined);
    else if (event.key === "Enter" && row === undefined) onSelect(scroll.firstInSight()?.place?.offset);
    else if (event.key === "c" && row !== undefined) void copyText(rowText(row));
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && row !== undefined) {
      const next = scroll.beside(row, event.key === "ArrowDown" ? 1 : -1);
      if (next !== undefined) onSelect(next.place?.offset);
    } else return;
    event.preventDefault();
  };

  const now = Date.now();
  return (
    <div class="log-box">
      <div
        class={`log-scroller ${look.wraps ? "wraps" : ""}`}
        ref={scroller}
        role="log"
        aria-live="off"
        aria-label="Log lines. Enter marks a line, the arrow keys move the mark, c copies the line."
        tabIndex={0}
        onScroll={() => scroll.scrolled()}
        onKeyDown={keyed}
      >
        <div class="log-space" style={{ height: `${scroll.height}px` }}>
          <div class="log-rows" ref={block} style={{ top: `${scroll.top(from)}px` }}>
            {model.shown.slice(from, to).map((row) => (
              <LogRowView
                key={row.key}
                row={row}
                times={look.times}
                now={look.times === "relative" ? now : 0}
                filter={model.filter}
                isSelected={row.place !== undefined && row.place.offset === selected}
                onSelect={onSelect}
              />
            ))}
          </div>
        </div>
        {model.shown.length === 0 && model.total > 0 && (
          <p class="empty">None of the {model.total.toLocaleString("en")} lines here matches</p>
        )}
      </div>
      {!model.following && !model.paused && (
        <button type="button" class="button jump" onClick={() => scroll.toEnd()}>
          {model.behind > 0 ? `${model.behind.toLocaleString("en")} new, jump to newest` : "Jump to newest"}
        </button>
      )}
    </div>
  );
}
